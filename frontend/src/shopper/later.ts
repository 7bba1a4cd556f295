// Parts that are not on the first screen, in one file.
export { default as LeaveDialog } from "@/shared/message/LeaveDialog.vue";
export { default as MediaViewer } from "@/shared/MediaViewer.vue";
export { default as AsYouType } from "./AsYouType.vue";
export { default as AttachSheet } from "./AttachSheet.vue";
export { cardOf } from "./cards";
export { default as MenuSheet } from "./MenuSheet.vue";
export { default as OptionsSheet } from "./OptionsSheet.vue";
export { default as QueueStrip } from "./QueueStrip.vue";
export { putUp, sendFile } from "./files";
export { default as VoiceSheet } from "./VoiceSheet.vue";
import { lookAtCalls } from "./calls";
import { hearTaps } from "./taps";

/** What listens from now on. */
export function wake(token: () => string | null): void {
  hearTaps(token);
  void lookAtCalls(token).catch(() => {});
}
