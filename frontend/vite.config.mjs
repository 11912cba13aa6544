// Builds the pages' script and style into the Python package, with a manifest that `asset()` reads.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { Resvg, initWasm } from "@resvg/resvg-wasm";
import { PurgeCSS } from "purgecss";
import { build, defineConfig } from "vite";

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

// Of Tabler's style only what a template, a view or a script names (a ninth of it), and the everyday utilities, so that most
// new pages need no new build. What Python or a script puts together from parts must be in one of these lists.
const PAGES = ["../src/chengshu/web/templates/**/*.html", "../src/chengshu/web/**/*.py", "src/**/*.ts"];
const ALWAYS = [
  /^-?[mp][tbesxy]?-(\d|auto)$/,
  /^(d|gap|row-gap|column-gap|g|gx|gy|w|h|fs|fw|lh|flex|order|align-items|align-self|justify-content|position|overflow)(-(sm|md|lg|xl))?-[a-z0-9-]+$/,
  /^(col|row)(-(sm|md|lg|xl))?(-(\d+|auto|cols-\d))?$/,
  /^text-(start|end|center|reset|nowrap|wrap|break|truncate|decoration-none)$/,
  /^(border|rounded|float|visually-hidden)(-[a-z0-9]+)*$/,
  /^alert(-(primary|success|info|warning|danger|dismissible|heading|link))?$/,
  /^btn(-(primary|success|warning|danger|link|icon|sm|lg|close|group|outline-primary|outline-danger|outline-secondary|ghost-primary|ghost-danger))?$/,
  /^form-(control|select|check|switch|label|hint|text|fieldset|floating)(-[a-z]+)*$/,
  /^(input-group|list-group|list-unstyled|card|table|progress|badge|nav|is-invalid|is-valid)(-(text|item|action|flush|body|header|footer|title|sm|responsive|vcenter|bar|tabs|link))*$/,
];
function onlyUsed() {
  return {
    name: "only-used",
    enforce: "pre",
    async transform(code, id) {
      if (!id.includes("tabler.min.css")) return null;
      const content = PAGES.map(here);
      const [kept] = await new PurgeCSS().purge({
        content, css: [{ raw: code }], safelist: ALWAYS, keyframes: true, variables: true,
        defaultExtractor: (text) => text.match(/[A-Za-z0-9_-]+/g) ?? [],
      });
      return { code: kept.css, map: null };
    },
  };
}

// The Chinese font that PDFs embed, in the files that its package has, with the ranges they hold and the licence.
function fonts() {
  const from = here("node_modules/@fontsource-variable/noto-sans-sc");
  return {
    name: "fonts",
    generateBundle() {
      const names = readdirSync(`${from}/files`).filter((name) => name.endsWith("-wght-normal.woff2")).map((name) => `files/${name}`);
      for (const name of [...names, "unicode.json", "LICENSE"]) {
        this.emitFile({ type: "asset", fileName: `fonts/${name.split("/").pop()}`, source: readFileSync(`${from}/${name}`) });
      }
    },
  };
}

// The icons of the app on a phone: with round corners, and whole for phones that cut their own shape out.
function appIcons() {
  return {
    name: "app-icons",
    async generateBundle() {
      await initWasm(readFileSync(here("node_modules/@resvg/resvg-wasm/index_bg.wasm")));
      const svg = readFileSync(here("src/app/icon.svg"), "utf8");
      for (const [purpose, drawn] of [["any", svg], ["maskable", svg.replace(' rx="96"', "")]]) {
        for (const value of [192, 512]) {
          const source = new Resvg(drawn, { fitTo: { mode: "width", value } }).render().asPng();
          this.emitFile({ type: "asset", fileName: `app/${purpose}-${value}.png`, source });
        }
      }
    },
  };
}

// The service worker of the field in one file of its own: browsers load no modules into workers everywhere.
function fieldWorker() {
  return {
    name: "field-worker",
    async generateBundle() {
      const lib = { entry: here("src/field/worker.ts"), formats: ["iife"], name: "worker" };
      const [{ output }] = await build({
        configFile: false, publicDir: false, logLevel: "error", root: here("."), build: { write: false, target: "es2022", lib },
      });
      this.emitFile({ type: "asset", fileName: "field-worker.js", source: output[0].code });
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
  plugins: [sprite(), onlyUsed(), fonts(), appIcons(), fieldWorker(), compressed()],
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
