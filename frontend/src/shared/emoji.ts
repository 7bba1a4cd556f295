// 96 emoji of everyday talk, by Unicode; the system draws them.
export const EMOJI: readonly string[] = [
  ..."😀😃😄😁😆😅😂🙂😊😇😍😘😋😜🤗🤔😏😌😴😷😎😕😟🙁😮😳😨😰😢😭😱😖😞😓😩😤😡👍👎👌👏🙏💪🤝👋🙌✌",
  ..."🌹🌷🌻🎉🎁🎂🎈🎀💐🍀🌟⭐🔥💯✅❌❓❗💬📷🎬📦🚚🏠🏬💰💳🧧👕👗👟👜💍⌚📱💻🎧🐶🐱🐼☀🌧❄☕🍵🍎🍉🍰",
].filter((one) => one.trim());
