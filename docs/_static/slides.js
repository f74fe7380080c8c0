// Slides are sections one below the other; without this script one scrolls. Arrows, space and page
// keys go from one to the next, n shows the lecturer's notes, f fills the screen.
"use strict";
const slides = [...document.querySelectorAll("section.slide")];

// The slide that is on the screen: the last one that begins above the middle.
function current() {
  const middle = window.innerHeight / 2;
  let found = 0;
  slides.forEach((slide, i) => { if (slide.getBoundingClientRect().top < middle) found = i; });
  return found;
}

function show(number) {
  const i = Math.max(0, Math.min(slides.length - 1, number));
  slides[i].scrollIntoView();
  history.replaceState(null, "", `#${i + 1}`); // a page that is loaded again stays where it was
}

const steps = {
  ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1,
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const inside = event.target.closest && event.target.closest("summary, input");
  if (inside && (event.key === " " || event.key === "Enter")) return; // it opens the answer
  const back = event.key === " " && event.shiftKey;
  if (event.key in steps) show(current() + (back ? -1 : steps[event.key]));
  else if (event.key === "Home") show(0);
  else if (event.key === "End") show(slides.length - 1);
  else if (event.key === "n") document.body.classList.toggle("with-notes");
  else if (event.key === "f" && document.fullscreenElement) document.exitFullscreen();
  else if (event.key === "f") document.documentElement.requestFullscreen();
  else return;
  event.preventDefault();
});
