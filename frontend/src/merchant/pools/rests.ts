// Pools where nobody sits.
import type { OwnPool } from "./agents/people";
import type { Hours } from "./hours";

/** The bot and the message box, where nobody sits. */
export interface RestRow {
  id: string;
  name: string;
  kind: "bot" | "message_box";
  state: "open" | "draining" | "closed";
  hours: Hours | null;
  waiting_max: number | null;
  open: boolean;
  /** in the message box */
  lying: number | null;
}
/** A bot or message box as a pool that can be changed. */
export const asPool = (rest: RestRow): OwnPool & { kind: RestRow["kind"] } => ({
  ...rest, skills: [], languages: [], share_weight: 0, seats_default: 5,
});
