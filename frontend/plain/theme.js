// Runs before the first paint, so that a dark page is never white first. Its own file: the page allows no inline script.
(function () {
  var root = document.documentElement;
  var query = new URLSearchParams(location.search);
  var wanted = query.get("theme");
  try {
    wanted = wanted || localStorage.getItem("wangxin.theme");
  } catch (ignored) {
    // Storage may be closed to third-party frames; then the system decides.
  }
  var dark = wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.classList.toggle("dark", dark);
  var lang = query.get("lang");
  try {
    lang = lang || localStorage.getItem("wangxin.lang");
  } catch (ignored) {
    // as above
  }
  lang = lang || navigator.language || "zh-CN";
  root.lang = /^zh[-_](tw|hk|mo|hant)/i.test(lang) ? "zh-TW" : /^en/i.test(lang) ? "en" : /^zh/i.test(lang) ? "zh-CN" : "en";
})();
