"use strict";
// A page of a run that goes on loads itself again. It waits five seconds, or a quarter of the time
// since it was written, if that is longer: where the run takes long for something, or was killed
// without a word, it asks less and less often, and after an hour no more.
(() => {
  const state = document.getElementById("state");
  const pause = document.getElementById("pause"), age = document.getElementById("age");
  const written = Number(state.dataset.written) * 1000;
  const least = 5000, silence = 3600000;
  const old = Date.now() - written;
  let timer = 0;
  const words = (ms) => ms < 90000 ? Math.round(ms / 1000) + " s" : Math.round(ms / 60000) + " min";
  const again = () => { timer = setTimeout(() => location.reload(), Math.max(least, old / 4)); };
  if (old > silence) {
    age.textContent = "Nothing new for " + words(old) + ": was the run killed? This page asks no more.";
    pause.textContent = "Ask once more";
    pause.addEventListener("click", () => location.reload());
  } else {
    if (old > 60000) age.textContent = "Nothing new for " + words(old) + ".";
    again();
    pause.addEventListener("click", () => {
      if (timer) {
        clearTimeout(timer);
        timer = 0;
        pause.textContent = "Go on";
        age.textContent = "This page stands still; the run goes on.";
      } else {
        location.reload();
      }
    });
  }
  pause.hidden = false;
})();
