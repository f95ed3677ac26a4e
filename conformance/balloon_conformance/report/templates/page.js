// Filters and jumps. Without it the page says the same.
(function () {
  "use strict";
  var form = document.querySelector("form.filter");
  if (!form) { return; }
  document.documentElement.classList.add("scripted");
  var search = form.querySelector("input[type=search]");
  var boxes = Array.prototype.slice.call(form.querySelectorAll("input[type=checkbox]"));
  var said = form.querySelector("[role=status]");
  var rows = Array.prototype.slice.call(document.querySelectorAll("[data-verdict]"));
  function apply() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    var wanted = boxes.filter(function (box) { return box.checked; }).map(function (box) { return box.value; });
    var shown = 0;
    rows.forEach(function (row) {
      var text = row.textContent.toLowerCase();
      var hit = wanted.indexOf(row.dataset.verdict) >= 0 && words.every(function (word) { return text.indexOf(word) >= 0; });
      row.hidden = !hit;
      if (hit) { shown += 1; }
    });
    document.querySelectorAll("details.area").forEach(function (area) {
      var any = area.querySelector("[data-verdict]:not([hidden])");
      area.hidden = !any;
      if (words.length && any) { area.open = true; }
    });
    said.textContent = shown + (shown === 1 ? " requirement" : " requirements");
  }
  form.addEventListener("input", apply);
  // What is jumped to stands below the bar, not behind it.
  function measure() {
    var covers = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
    document.documentElement.style.setProperty("--bar", covers + "px");
  }
  window.addEventListener("resize", measure);
  measure();
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  document.addEventListener("keydown", function (event) {
    if (event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "/") { event.preventDefault(); search.focus(); return; }
    if (event.key !== "n" && event.key !== "p") { return; }
    var places = Array.prototype.slice.call(document.querySelectorAll(".finding")).filter(function (one) {
      return !one.closest("[hidden]");
    });
    if (!places.length) { return; }
    var at = places.indexOf(document.activeElement) + (event.key === "n" ? 1 : -1);
    var next = places[(at + places.length) % places.length];
    next.closest("details.area").open = true;
    next.focus();
    next.scrollIntoView({ block: "center" });
  });
  function follow() {
    var target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    var area = target && target.closest("details.area");
    if (area) { area.open = true; target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", follow);
  apply();
  follow();
})();
