import { createApp } from "vue";
import { loadTexts } from "@/shared/i18n";
import "@/shared/tokens.css";
import "@/shared/base.css";
import InboxPage from "./InboxPage.vue";

void loadTexts(import.meta.glob("../locales/*/{common,inbox}.json", { import: "default" })).then(() =>
  createApp(InboxPage).mount("#app"),
);
