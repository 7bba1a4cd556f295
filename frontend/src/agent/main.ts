import "@/shared/sso"; // first: what an issuer of single sign-on sent leaves the address
import { createApp } from "vue";
import { loadTexts } from "@/shared/i18n";
import "@/shared/tokens.css";
import "@/shared/contrast.css";
import "@/shared/base.css";
import App from "./App.vue";

void loadTexts(import.meta.glob("../locales/*/{common,cards,console,merchant,agent,training,quality,routing}.json", { import: "default" })).then(() =>
  createApp(App).mount("#app"),
);

// The page stands without a network too; where workers are not allowed it is as it was before.
if ("serviceWorker" in navigator) void navigator.serviceWorker.register("/agent-sw.js", { scope: "/agent" }).catch(() => undefined);
