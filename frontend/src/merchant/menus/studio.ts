// What the menu page does: it keeps a draft, asks the server what is wrong with it and how it would look, and publishes.
import { computed, onMounted, onUnmounted, ref, watch } from "vue";
import { type ApiError, api, errorText } from "@/shared/api";
import { formatMoment } from "@/shared/format";
import { t } from "@/shared/i18n";
import { account } from "@/shared/session";
import { named, place, treeOf, variantOf } from "./tree";
import type { Examined } from "../bot/types";
import type { Desk, Draft, Member, Plan, Problem, Said, Shelved, Version, Why } from "./types";

const ASK_MS = 400;

export function useStudio() {
  const shop = account.value!.shops[0]!;
  const at = (path: string) => `/menus/${shop.id}/${path}`;
  const desk = ref<Desk | null>(null);
  const kept = ref("");
  const versions = ref<Version[]>([]);
  const plans = ref<Plan[]>([]);
  const members = ref<Member[]>([]);
  /** the shop's library, from which answers take pictures and videos */
  const shelf = ref<Shelved[]>([]);
  const problems = ref<Problem[]>([]);
  const selected = ref("");
  /** the menu that is worked on; "": the default one */
  const variant = ref("");
  /** as when and how the preview's shopper comes: "" is now */
  const moment = ref("");
  const channel = ref("page");
  const language = ref("zh-CN");
  const why = ref<Why | null>(null);
  const shopper = ref("");
  const said = ref<Said | null>(null);
  const stale = ref(false);
  const trouble = ref<unknown>(null);
  /** what went wrong with the last deed, and what went well */
  const bad = ref("");
  const done = ref("");
  const conflict = ref(false);
  const busy = ref(false);

  const written = computed(() => (desk.value ? JSON.stringify(desk.value.draft) : ""));
  const dirty = computed(() => written.value !== kept.value);
  const errors = computed(() => problems.value.filter((one) => one.level === "error"));
  const tree = computed(() => (desk.value ? treeOf(desk.value.draft, variant.value) : null));
  const item = computed(() => (tree.value ? place(tree.value.items, selected.value) : null));
  /** Shows another menu of the draft, or the one an item stands in. */
  function open(id: string): void {
    variant.value = id;
    if (!item.value) selected.value = tree.value?.items[0]?.id ?? "";
  }
  function goTo(id: string): void {
    if (!desk.value) return;
    variant.value = variantOf(desk.value.draft, id);
    if (!id.startsWith("variant:")) selected.value = id;
    else if (!item.value) selected.value = tree.value?.items[0]?.id ?? "";
  }

  function show(now: Desk): void {
    desk.value = now;
    kept.value = JSON.stringify(now.draft);
    problems.value = now.problems;
    conflict.value = false;
    open(now.draft.variants.some((one) => one.id === variant.value) ? variant.value : "");
  }
  async function load(): Promise<void> {
    trouble.value = null;
    try {
      const [now, list, coming, people, library] = await Promise.all([
        api.get<Desk>(at("draft")),
        api.get<{ versions: Version[] }>(at("versions")),
        api.get<{ plans: Plan[] }>(at("plans")),
        api.get<Member[]>(`/push/${shop.id}/members`, { query: { limit: 100 } }),
        api.get<{ media: Shelved[] }>(`/library/${shop.id}`),
      ]);
      shelf.value = library.media;
      versions.value = list.versions;
      plans.value = coming.plans;
      members.value = people;
      show(now);
    } catch (why) {
      trouble.value = why;
    }
  }

  /** A refusal that names a field of an item becomes that item's problem; true where it did. */
  function blame(why: ApiError): boolean {
    if (!["request.invalid", "menu.has_errors"].includes(why.code) || !desk.value) return false;
    if (why.code === "menu.has_errors") {
      if (why.field) goTo(why.field);
      return false;
    }
    const { item: id, field } = named(desk.value.draft, why.field);
    problems.value = [{ item: id, code: "request.invalid", level: "error", detail: field }];
    return true;
  }
  async function attempt(work: () => Promise<void>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    bad.value = done.value = "";
    try {
      await work();
      return true;
    } catch (why) {
      const said = why as ApiError;
      if (said.code === "menu.changed_meanwhile") conflict.value = true;
      else bad.value = blame(said) ? t("menu.fixFirst") : errorText(why);
      return false;
    } finally {
      busy.value = false;
    }
  }
  async function keep(): Promise<void> {
    const now = desk.value!;
    const sent = written.value;
    const answer = await api.put<{ revision: number; problems: Problem[] }>(at("draft"), { draft: now.draft, revision: now.revision });
    now.revision = answer.revision;
    kept.value = sent;
    problems.value = answer.problems;
  }
  const save = () =>
    attempt(async () => {
      await keep();
      done.value = t("menu.saved");
    });
  async function live(version: number): Promise<void> {
    const [now, list] = await Promise.all([api.get<Desk>(at("draft")), api.get<{ versions: Version[] }>(at("versions"))]);
    versions.value = list.versions;
    show(now);
    done.value = t("menu.published", { version });
  }
  const publish = (note: string) =>
    attempt(async () => {
      if (dirty.value) await keep();
      const { version } = await api.post<{ version: number }>(at("publish"), { note, revision: desk.value!.revision });
      await live(version);
    });
  /** What the golden questions say to the draft; null where there are none. */
  async function examine(): Promise<Examined | null> {
    const run = await api.post<Examined>(at("golden/run"), { draft: desk.value!.draft });
    return run.total ? run : null;
  }
  const plan = (note: string, at_ms: number, until_ms: number | null) =>
    attempt(async () => {
      if (dirty.value) await keep();
      await api.post(at("plans"), { note, at_ms, until_ms, revision: desk.value!.revision });
      plans.value = (await api.get<{ plans: Plan[] }>(at("plans"))).plans;
      done.value = t("menu.planned", { at: formatMoment(at_ms) });
    });
  const cancelPlan = (id: string) =>
    attempt(async () => {
      await api.del(at(`plans/${id}`));
      plans.value = (await api.get<{ plans: Plan[] }>(at("plans"))).plans;
      done.value = t("menu.planCancelled");
    });
  const ban = (words: string[]) =>
    attempt(async () => {
      desk.value!.banned = (await api.put<{ banned: string[] }>(at("banned"), { words })).banned;
      done.value = t("menu.bannedSaved");
      await ask();
    });
  const goBack = (version: number) =>
    attempt(async () => {
      await live((await api.post<{ version: number }>(at("rollback"), { version })).version);
    });
  /** An older version's content into the draft, to be worked on; nothing is published. */
  const take = (version: number) =>
    attempt(async () => {
      const old = await api.get<Draft>(at(`versions/${version}`));
      desk.value!.draft = { greeting: old.greeting, items: old.items, variants: old.variants };
      open("");
      done.value = t("menu.taken", { version });
    });
  /** A ready menu into the draft; nothing is kept or published. */
  function takeReady(draft: Draft, name: string): void {
    if (!desk.value) return;
    desk.value.draft = JSON.parse(JSON.stringify(draft)) as Draft;
    open("");
    selected.value = desk.value.draft.items[0]?.id ?? "";
    bad.value = "";
    done.value = t("menu.readyTaken", { name });
  }
  /** A file into the draft, once the server has read it; what is wrong with a lawful one is shown as ever. */
  const takeFile = (file: unknown, name: string) =>
    attempt(async () => {
      const read = await api.post<{ problems: Problem[]; draft: Draft }>(at("check"), file);
      desk.value!.draft = read.draft;
      problems.value = read.problems;
      open("");
      done.value = t("menu.file.taken", { name });
    });
  const setDepth = (depth: number) =>
    attempt(async () => {
      await api.put(at("depth"), { depth });
      desk.value!.limits.depth = depth;
      done.value = t("menu.depthSet", { n: depth });
    });
  /** Really fetches the links; what could not be asked says so. */
  async function fetchLinks(): Promise<Problem[]> {
    try {
      return (await api.post<{ problems: Problem[] }>(at("links"), desk.value!.draft)).problems;
    } catch {
      return []; // publishing itself fetches them once more
    }
  }
  /** After a conflict: what stands here wins over what the colleague kept. */
  const overwrite = () =>
    attempt(async () => {
      desk.value!.revision = (await api.get<Desk>(at("draft"))).revision;
      conflict.value = false;
      await keep();
      done.value = t("menu.saved");
    });

  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking: AbortController | undefined;
  async function ask(): Promise<void> {
    if (!desk.value) return;
    asking?.abort();
    const mine = (asking = new AbortController());
    const { signal } = mine;
    const { draft } = desk.value;
    try {
      problems.value = (await api.post<{ problems: Problem[] }>(at("check"), draft, { signal })).problems;
      const one = item.value?.item;
      said.value =
        one && one.action.kind !== "submenu"
          ? await api.post<Said>(at("preview"), { draft, item: one.id, shopper: shopper.value || null }, { signal })
          : null;
      const at_ms = moment.value ? new Date(moment.value).getTime() : null;
      const as = { draft, shopper: shopper.value || null, at_ms, channel: channel.value || "page", language: language.value };
      why.value = draft.variants.length ? await api.post<Why>(at("why"), as, { signal }) : null;
      stale.value = false;
    } catch (refused) {
      if ((refused as Error).name === "AbortError" || asking !== mine) return;
      said.value = why.value = null;
      if (!blame(refused as ApiError)) bad.value = errorText(refused);
    }
  }
  watch([written, selected, shopper, moment, channel, language], () => {
    stale.value = true;
    clearTimeout(timer);
    timer = setTimeout(ask, ASK_MS);
  });
  /** Back at this tab: what a colleague kept meanwhile is shown, or said where there are changes here. */
  async function look(): Promise<void> {
    if (document.hidden || !desk.value || busy.value) return;
    try {
      const now = await api.get<Desk>(at("draft"));
      if (now.revision === desk.value?.revision && now.published === desk.value.published) return;
      if (!dirty.value) await load();
      else if (now.revision !== desk.value?.revision) conflict.value = true;
    } catch {
      // the next look may work
    }
  }
  onMounted(() => {
    void load();
    document.addEventListener("visibilitychange", look);
  });
  onUnmounted(() => {
    clearTimeout(timer);
    asking?.abort();
    document.removeEventListener("visibilitychange", look);
  });
  return {
    shop, desk, versions, members, problems, errors, selected, shelf, shopper, said, stale, trouble, bad, done, conflict, busy, dirty, item,
    variant, tree, open, goTo, moment, channel, language, why, plans, examine, load, save, publish, plan, cancelPlan, ban, goBack, take, takeReady, takeFile, setDepth, fetchLinks, overwrite,
  };
}
