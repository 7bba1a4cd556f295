/** The agent's own figures of today, as metrics counts them; nothing is reckoned here. */
import { ref } from "vue";
import { api } from "@/shared/api";
import { formatNumber, formatSeconds, formatShare } from "@/shared/format";
import { t } from "@/shared/i18n";
import { allowed } from "./room";

export interface Figure {
  name: string;
  label: string;
  value: string;
  beside: string;
  tone: "ok" | "bad" | "plain";
  definition: string;
}
interface Rate {
  hits: number;
  n: number;
  share: number | null;
}
/** What of GET /metrics/mine is shown. */
interface Sums {
  served: number;
  response: { mean: number | null };
  conversion: Rate;
  rating: { n: number; satisfied: Rate };
}

export const figures = ref<Figure[]>([]);
/** The strictest of the contracts' limits, or what holds where they are silent. */
const limitMs = (): number => Math.min(...(allowed.value?.shops ?? []).map((shop) => shop.reply_ms), Infinity);

export async function readFigures(): Promise<void> {
  try {
    figures.value = asFigures((await api.get<{ figures: Sums }>("/metrics/mine")).figures, allowed.value?.protected ? Infinity : limitMs());
  } catch {
    // the strip shows what it last knew
  }
}

const nothing = "–";

export function asFigures(of: Sums, limit: number): Figure[] {
  const mean = of.response.mean;
  const known = mean !== null && Number.isFinite(limit);
  const late = known && mean > limit;
  return [
    {
      name: "served", label: t("agent.figures.served"), value: formatNumber(of.served), beside: t("agent.figures.conversations"),
      tone: "plain", definition: t("agent.figures.served.means"),
    },
    {
      name: "response", label: t("agent.figures.response"), value: mean === null ? nothing : formatSeconds(mean),
      beside: known ? t(late ? "agent.figures.late" : "agent.figures.kept", { limit: `${limit / 1000}s` }) : "",
      tone: !known ? "plain" : late ? "bad" : "ok", definition: t("agent.figures.response.means"),
    },
    {
      name: "conversion", label: t("agent.figures.conversion"), value: share(of.conversion),
      beside: counts(of.conversion), tone: "plain",
      definition: t("agent.figures.conversion.means"),
    },
    {
      name: "satisfaction", label: t("agent.figures.satisfaction"), value: share(of.rating.satisfied),
      beside: counts(of.rating.satisfied), tone: "plain", definition: t("agent.figures.satisfaction.means"),
    },
  ];
}

const counts = (rate: Rate): string => (rate.n ? `${rate.hits} / ${rate.n}` : "");
const share = (rate: Rate): string => (rate.share === null ? nothing : formatShare(rate.share));
