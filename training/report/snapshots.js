"use strict";
// The slider of a run's snapshots: shows one of them. Arrow keys, Home and End move it, as the
// browser has them for a slider.
(() => {
  const series = JSON.parse(document.getElementById("series").textContent);
  const slider = document.getElementById("when"), play = document.getElementById("play");
  const moment = document.getElementById("moment");
  const pictures = [...document.querySelectorAll("[data-picture]")];
  const rows = [...document.querySelectorAll(".guesses li")];
  const show = (i) => {
    const s = series[i];
    moment.textContent = s.text;
    slider.setAttribute("aria-valuetext", s.text);
    for (const img of pictures) img.src = s.pictures[Number(img.dataset.picture)];
    rows.forEach((row, c) => {
      const p = s.bars[c];
      row.querySelector(".track span").style.width = (100 * p).toFixed(1) + "%";
      row.querySelector(".value").textContent = (100 * p).toFixed(1) + "%";
    });
  };
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  slider.addEventListener("input", () => { stop(); show(slider.valueAsNumber); });
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    const last = series.length - 1;
    if (slider.valueAsNumber === last) slider.value = 0;
    show(slider.valueAsNumber);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      slider.value = slider.valueAsNumber + 1;
      show(slider.valueAsNumber);
      if (slider.valueAsNumber === last) stop();
    }, 500);
  });
  document.getElementById("watch").hidden = series.length < 2;
  show(series.length - 1);
})();
