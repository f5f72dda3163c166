/** The API's answers under the names that the dashboard uses for them. */

import type { components } from "./api-types";

type Schemas = components["schemas"];

export type RunSummary = Schemas["RunSummary"];
export type Status = RunSummary["status"];
export type RunDetail = Schemas["Run"];
export type LayersAnswer = Schemas["Layers"];
export type LayerRow = Schemas["LayerRow"];
export type SeriesAnswer = Schemas["Series"];
export type LogsAnswer = Schemas["Logs"];
export type Finding = Schemas["FindingModel"];
export type Evidence = Schemas["EvidenceModel"];
export type Statistic = Schemas["StatisticModel"];
export type Severity = Finding["severity"];
export type Mark = Schemas["MarkModel"];
export type Rule = Schemas["RuleModel"];
export type Trial = Schemas["TrialModel"];
export type Contestant = Schemas["ContestantModel"];
export type Training = Schemas["TrainingModel"];
export type Activations = Schemas["Activations"];
