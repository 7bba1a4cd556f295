// What a person may do with a line of the thread; the page turns it into a frame.
import type { InjectionKey } from "vue";
import type { OrderBody, ProductBody } from "../protocol";

/** A filled form as it is shown until the server has it: what fields are called, and words in place of uploads. */
export interface FilledForm {
  labels: Record<string, string>;
  values: Record<string, string>;
}

export type Act =
  | { do: "choice"; seq: number; choice: string; label: string }
  | { do: "form"; seq: number; values: Record<string, string>; shown: FilledForm }
  | { do: "rate"; conversation: string; stars: number; reasons: string[]; text: string }
  | { do: "retry"; id: string }
  | { do: "recall"; seq: number }
  | { do: "card"; card: ProductBody | OrderBody }
  | { do: "refuse"; refused: boolean }
  | { do: "view"; kind: "image" | "video"; url: string }
  | { do: "ask"; text: string };

/** Gives the token that media links are asked with; undefined: the account's. */
export const MEDIA_TOKEN: InjectionKey<() => string | null | undefined> = Symbol("media token");
