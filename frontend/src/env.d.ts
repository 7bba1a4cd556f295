/// <reference types="vite/client" />
declare module "*.vue" {
  import type { DefineComponent } from "vue";
  const component: DefineComponent<Record<string, never>, Record<string, never>, unknown>;
  export default component;
}
declare module "element-plus/es/locale/lang/*.mjs" {
  import type { Language } from "element-plus/es/locale";
  const words: Language;
  export default words;
}
declare module "element-plus/es/components/*/index.mjs" {
  export * from "element-plus";
}
