// Four builds, one output folder: sdk.js (no framework), the shopper page, the inbox of all shops, the two consoles.
// The shopper page must not share chunks with the consoles: alone it stays small.
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "wangxin", "web", "static");
const define = {
  __VUE_OPTIONS_API__: "false",
  __VUE_PROD_DEVTOOLS__: "false",
  __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
};
const common = {
  configFile: false,
  publicDir: false,
  logLevel: "warn",
  define,
  resolve: { alias: { "@": join(here, "src") } },
};
// Chrome 94, Safari 15.4 and newer: classes stay as they are written.
const shape = { target: "es2022", emptyOutDir: true, reportCompressedSize: false, modulePreload: { polyfill: false } };

// The window asks only for style sheets ahead of a part; Vite's own helper does much more and weighs a kilobyte.
const lightPreload = {
  name: "light-preload",
  enforce: "post",
  transform: (_code, id) =>
    id.includes("vite/preload-helper")
      ? `export const __vitePreload = (load, parts = []) =>
  Promise.all(parts.filter((part) => part.endsWith(".css")).map((part) => new Promise((done) => {
    const href = "/static/shopper/" + part;
    if (document.querySelector('link[href="' + href + '"]')) return done();
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = href;
    sheet.onload = sheet.onerror = done;
    document.head.append(sheet);
  }))).then(load);`
      : null,
};

const only = process.argv.find((argument) => argument.startsWith("--only="))?.slice(7);
const wanted = (part) => !only || only === part;

if (!only) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

if (wanted("sdk"))
  await build({
    ...common,
    root: here,
    build: {
      ...shape,
      emptyOutDir: false,
      outDir: out,
      lib: { entry: join(here, "src/sdk/main.ts"), formats: ["iife"], name: "wangxinSdk", fileName: () => "sdk.js" },
    },
  });
if (wanted("shopper"))
  await build({
    ...common,
    plugins: [vue({ features: { optionsAPI: false } }), lightPreload],
    resolve: {
      alias: [
        { find: "@", replacement: join(here, "src") },
        { find: /^\.\.\/createLucideIcon\.mjs$/, replacement: join(here, "src/shopper/icon.ts") },
      ],
    },
    root: join(here, "shopper"),
    base: "/static/shopper/",
    build: { ...shape, outDir: join(out, "shopper") },
  });
if (wanted("inbox"))
  await build({
    ...common,
    plugins: [vue({ features: { optionsAPI: false } })],
    root: join(here, "inbox"),
    base: "/static/inbox/",
    build: { ...shape, outDir: join(out, "inbox") },
  });
if (wanted("consoles"))
  await build({
    ...common,
    plugins: [vue()],
    define: { ...define, __VUE_OPTIONS_API__: "true" }, // Element Plus has components that use it
    root: here,
    base: "/static/consoles/",
    build: {
      ...shape,
      outDir: join(out, "consoles"),
      chunkSizeWarningLimit: 900,
      rolldownOptions: { input: { agent: join(here, "agent/index.html"), merchant: join(here, "merchant/index.html") } },
    },
  });
for (const name of ["theme.js", "host.js", "host.css", "host.html", "agent.webmanifest", "agent-sw.js", "shopper-sw.js", "icon.svg", "icon-maskable.svg"]) {
  copyFileSync(join(here, "plain", name), join(out, name));
}
cpSync(join(here, "plain", "goods"), join(out, "goods"), { recursive: true });

// What is served is compressed once, here.
const walk = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
for (const path of walk(out)) {
  if (!/\.(js|css|html|svg|json)$/.test(path)) continue;
  const bytes = readFileSync(path);
  if (bytes.length < 600) continue;
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(
    `${path}.br`,
    brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
  );
}
