// Builds the pages' script and style into the Python package, with a manifest that `asset()` reads.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// The script and style of every page, and those of single rooms, which `asset("desk.script")` names.
function entries() {
  const rooms = readdirSync(here("src/rooms")).filter((name) => name.endsWith(".ts"));
  return { main: here("src/main.ts"), ...Object.fromEntries(rooms.map((name) => [name.slice(0, -3), here(`src/rooms/${name}`)])) };
}

// One SVG sprite with the icons that the templates use; they name them by `icon("name")`.
function sprite() {
  const names = JSON.parse(readFileSync(here("src/icons.json"), "utf8"));
  const symbol = (name) => {
    const svg = readFileSync(here(`node_modules/@tabler/icons/icons/outline/${name}.svg`), "utf8");
    const inner = svg.replace(/<!--[\s\S]*?-->/g, "").replace(/<svg[^>]*>|<\/svg>/g, "").replace(/\s+/g, " ").trim();
    return `<symbol id="${name}" viewBox="0 0 24 24">${inner}</symbol>`;
  };
  return {
    name: "icon-sprite",
    generateBundle() {
      const source = `<svg xmlns="http://www.w3.org/2000/svg">\n${names.map(symbol).join("\n")}\n</svg>\n`;
      this.emitFile({ type: "asset", fileName: "icons.svg", source });
    },
  };
}

// Compressed once here, so that the web server only has to choose.
function compressed() {
  return {
    name: "compressed",
    writeBundle({ dir }) {
      for (const name of readdirSync(dir, { recursive: true })) {
        if (!/\.(js|css|svg)$/.test(name)) continue;
        const content = readFileSync(`${dir}/${name}`);
        writeFileSync(`${dir}/${name}.gz`, gzipSync(content, { level: 9 }));
        writeFileSync(`${dir}/${name}.br`, brotliCompressSync(content));
      }
    },
  };
}

export default defineConfig({
  base: "/static/dist/",
  publicDir: false,
  plugins: [sprite(), compressed()],
  worker: { format: "es" },
  build: {
    outDir: here("../src/chengshu/web/static/dist"),
    emptyOutDir: true,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: entries() },
  },
});
