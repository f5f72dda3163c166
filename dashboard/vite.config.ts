import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const SERVER = process.env["GAINSTAGE_URL"] ?? "http://127.0.0.1:8420";

/** Beside each script and style sheet the same compressed: the server has nothing to do but send it. */
const compressed = {
  name: "compressed",
  apply: "build" as const,
  writeBundle({ dir = "" }: { dir?: string }): void {
    const assets = join(dir, "assets");
    for (const name of readdirSync(assets).filter((file) => /\.(js|css)$/.test(file))) {
      writeFileSync(join(assets, `${name}.br`), brotliCompressSync(readFileSync(join(assets, name))));
    }
  },
};

/** The folders of the packages of which something is bundled, with the page or with its worker. */
const bundled = new Set<string>();

/** Vite's own `build.license` leaves out what only a worker imports. */
const noted = {
  name: "noted",
  moduleParsed({ id }: { id: string }): void {
    const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id) ?? [];
    if (folder !== undefined) bundled.add(folder);
  },
};

/** Their licences ask that their texts go where their code goes. */
const notices = {
  name: "notices",
  apply: "build" as const,
  writeBundle({ dir = "" }: { dir?: string }): void {
    writeFileSync(join(dir, "third-party.txt"), [...bundled].sort().map(noticeOf).join("\n\n"));
  },
};

function noticeOf(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (file === undefined) throw new Error(`${name} is bundled, and its package holds no licence.`);
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8")}`;
}

export default defineConfig({
  plugins: [svelte(), compressed, noted, notices],
  worker: { plugins: () => [noted] },
  build: {
    outDir: "../server/gainstage_server/static",
    emptyOutDir: true,
    // The server's Content-Security-Policy is `default-src 'self'`: a data: URL would be refused.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: {
    proxy: {
      "/api": { target: SERVER, ws: true },
    },
  },
  test: {
    environment: "node",
    include: ["src/**/*.test.ts"],
  },
});
