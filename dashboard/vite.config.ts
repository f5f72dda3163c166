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

export default defineConfig({
  plugins: [svelte(), compressed],
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
