import type { Component } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import { NAV, PROVIDER_NAV } from "./nav";
import NotThere from "./NotThere.vue";

const pages = import.meta.glob<{ default: Component }>("./pages/*.vue");

/** `/merchant/<page>/<rest…>`: a page gets what follows its name as the prop `rest`, for its own sub-pages. */
export const router = createRouter({
  history: createWebHistory("/merchant/"),
  routes: [
    { path: "/", redirect: "/overview" },
    ...[...NAV, ...PROVIDER_NAV].map(({ page }) => ({
      path: `/${page}/:rest(.*)*`,
      name: page,
      component: pages[`./pages/${page}.vue`] ?? NotThere,
      props: (to: { params: Record<string, string | string[]> }) => ({ rest: [to.params.rest ?? []].flat().filter(Boolean) }),
    })),
    { path: "/:rest(.*)*", redirect: "/overview" },
  ],
});
