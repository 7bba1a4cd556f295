// Why somebody was chosen, in words: what follows a colon makes it narrower, and may be one that nobody has words for yet.
import { tMaybe } from "./i18n";

export const routed = (reason: string): string => tMaybe(`routing.reason.${reason}`, tMaybe(`routing.reason.${reason.split(":")[0]}`, reason));
