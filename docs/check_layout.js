// What check_layout.py measures in a page: each finding is [kind, what is wrong, pixels, the element, the heading
// above it]. The file is one function, which Python calls with the least size of a letter.
(async (legible) => {
  await document.fonts.ready;
  // A page that computes shows something only when its library is open.
  const lab = document.querySelector(".lab");
  while (lab && !lab.dataset.ready && !lab.dataset.failed) await new Promise((go) => setTimeout(go, 50));
  for (const closed of document.querySelectorAll("details")) closed.open = true;
  const main = document.querySelector("article") ?? document.body;
  const phone = innerWidth < 640, found = [], reported = new Set();
  const style = (e) => getComputedStyle(e);
  const kind = (e) => {
    for (const [name, what] of [["svg, img", "drawing"], ["table", "table"], ["pre", "code"], ["math", "formula"]])
      if (e.closest(name) || e.querySelector(name)) return what;
    return "text";
  };
  const heading = (e) => {
    let last = "";
    for (const h of main.querySelectorAll("h1, h2, h3"))
      if (h.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING) last = h.textContent.replace("#", "");
    return last.trim();
  };
  const say = (e, what, pixels) => {
    reported.add(e);
    const name = e.tagName.toLowerCase() + (e.classList.length ? "." + [...e.classList].join(".") : "");
    const words = (e.textContent || e.getAttribute("src") || "").trim().replace(/\s+/g, " ").slice(0, 50);
    found.push([kind(e), what, Math.round(pixels), `${name} "${words}"`, heading(e)]);
  };
  const hidden = (e) => !e.checkVisibility() || style(e).position === "absolute" || e.closest(".headerlink");
  const clips = (e) => style(e).overflowX !== "visible" && !(e instanceof SVGElement);
  const shows = (e) => style(e).backgroundAttachment.includes("local");
  const inside = (e, test) => {
    for (let up = e.parentElement; up && up !== main.parentElement; up = up.parentElement) if (test(up)) return true;
    return false;
  };

  const column = (main.closest(".content") ?? main).getBoundingClientRect(), elements = [...main.querySelectorAll("*")];
  for (const e of elements) {
    if (hidden(e) || inside(e, (up) => reported.has(up))) continue;
    const over = e.scrollWidth - e.clientWidth;
    if (clips(e) && e.clientWidth > 0 && over > 1) {
      if (!phone || !["code", "formula"].includes(kind(e))) say(e, "is wider than its box", over);
      else if (!["auto", "scroll"].includes(style(e).overflowX)) say(e, "is cut by its box", over);
      else if (!shows(e)) say(e, "scrolls in a box that does not show it", over);
      continue;
    }
    if (inside(e, (up) => up.tagName === "svg" || up.tagName === "math") || inside(e, clips)) continue;
    const box = e.getBoundingClientRect(), words = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const beyond = Math.max(box.right - column.right, column.left - box.left, words ? box.left + e.scrollWidth - column.right : 0);
    if (beyond > 1) say(e, "stands out of the column", beyond);
  }
  const aside = document.scrollingElement.scrollWidth - innerWidth;
  if (aside > 1 && !found.length) say(main, "makes the page scroll sideways", aside);

  for (const text of main.querySelectorAll("svg text")) {
    if (hidden(text) || !text.textContent.trim()) continue;
    const { a, b } = text.getScreenCTM();  // b is not 0 where it stands upright
    const size = parseFloat(style(text).fontSize) * Math.hypot(a, b);
    if (size < legible) say(text, `has letters of ${size.toFixed(1)} px, ${legible} can be read`, 0);
    const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
    const cut = Math.max(box.right - frame.right, frame.left - box.left,
                         box.bottom - frame.bottom, frame.top - box.top);
    if (cut > 2) say(text, "is cut by the border of its drawing", cut);
  }
  for (const cell of main.querySelectorAll("td")) {
    if (hidden(cell) || style(cell).display === "block") continue;
    const text = cell.innerText.trim(), range = document.createRange();
    range.selectNodeContents(cell);
    const ends = [...range.getClientRects()].map((r) => r.bottom).sort((a, b) => a - b);
    const lines = ends.filter((end, i) => !i || end - ends[i - 1] > 9).length;
    if (lines >= 4 && text.length < 7 * lines) say(cell, `has ${text.length} letters on ${lines} lines in`, cell.clientWidth);
  }
  const pictures = [...main.querySelectorAll("img")].filter((i) => !hidden(i)).map((i) => [i.src, i.clientWidth]);
  return {found, pictures};
})
