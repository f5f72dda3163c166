import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { speak } from "./lib/number";

speak(navigator.languages);
const target = document.getElementById("app");
if (target === null) throw new Error('index.html has no element "app" to mount the dashboard in.');
mount(App, { target });
