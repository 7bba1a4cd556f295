import "@/shared/sso"; // first: what an issuer of single sign-on sent leaves the address
import { createApp } from "vue";
import { loadTexts } from "@/shared/i18n";
import "@/shared/tokens.css";
import "@/shared/base.css";
import "element-plus/theme-chalk/base.css";
import "element-plus/theme-chalk/dark/css-vars.css";
import "@/shared/element.css";
import App from "./App.vue";
import { router } from "./router";

void loadTexts(import.meta.glob("../locales/*/{common,cards,console,merchant,menu,bot,push,pools,terms,report,training,quality,routing,settings}.json", { import: "default" })).then(() =>
  createApp(App).use(router).mount("#app"),
);
