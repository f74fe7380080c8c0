// The page's style sheet: one column, system fonts, colours for light and dark.
#include "pages/style.h"

namespace limulus::html {

const char* style() {
  return R"(
:root{color-scheme:light dark;--paper:#fdfcf9;--raised:#f5f3ee;--ink:#1d2025;--muted:#5c626c;
--line:#e3e0d8;--series-1:#1d5fa6;--series-2:#bf5a12;--series-3:#2c7f55;--series-4:#84479c;
--right:29 95 166;--wrong:191 90 18;
--serif:ui-serif,"Iowan Old Style","Palatino Linotype",Palatino,Georgia,"Noto Serif",serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Helvetica Neue",Arial,sans-serif;
--mono:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{--paper:#15171b;--raised:#1d2025;--ink:#e7e6e2;
--muted:#a0a6b0;--line:#30343b;--series-1:#74adf2;--series-2:#f0a260;--series-3:#6cc897;
--series-4:#c795df;--right:86 150 230;--wrong:214 128 62}}
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-padding-top:1rem}
body{margin:0 auto;max-width:1120px;padding:0 clamp(1rem,4vw,2.5rem) 5rem;background:var(--paper);
color:var(--ink);font:1rem/1.6 var(--sans);overflow-wrap:break-word}
header{padding-top:clamp(1.75rem,6vw,4rem)}
h1,h2{font-family:var(--serif);font-weight:600;line-height:1.2;text-wrap:balance}
h1{font-size:clamp(1.9rem,5.5vw,3rem);margin:.1em 0 .4em;letter-spacing:-.01em}
h2{font-size:1.55rem;margin:0 0 .6rem}
h3{font-size:1rem;font-weight:600;margin:0 0 .35rem}
p{margin:0 0 1rem;max-width:70ch}
.kicker{margin:0;color:var(--muted);font-size:.86rem;letter-spacing:.04em}
.result{font-family:var(--serif);font-size:clamp(1.15rem,2.6vw,1.4rem);line-height:1.5;
max-width:46rem}
.note,figcaption{color:var(--muted);font-size:.92rem;line-height:1.55;max-width:74ch}
section{margin-top:2.6rem;padding-top:2.2rem;border-top:1px solid var(--line)}
a{color:var(--series-1);text-underline-offset:.18em;text-decoration-thickness:1px}
:focus-visible{outline:2px solid var(--series-1);outline-offset:2px}
figure{margin:0 0 1rem;min-width:0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.2rem,1fr));gap:1.1rem 1.5rem;
margin:2rem 0;padding:1.3rem 0;border:solid var(--line);border-width:1px 0}
.facts dt{color:var(--muted);font-size:.86rem}
.facts dd{margin:0;font-size:1.6rem;line-height:1.25;font-variant-numeric:tabular-nums;
white-space:nowrap}
.facts dd span{display:block;white-space:normal;color:var(--muted);font-size:.82rem;
line-height:1.4;margin-top:.15rem}
nav ul{display:flex;flex-wrap:wrap;gap:.35rem 1.4rem;margin:0;padding:0;list-style:none;
font-size:.92rem}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));
gap:0 2.5rem;margin:.5rem 0}
.pair figure{max-width:40rem;display:grid;grid-template-rows:auto auto auto;
grid-template-rows:subgrid;grid-row:span 3;margin-bottom:1.5rem}
.filters{display:block;max-width:100%;height:auto;image-rendering:pixelated;margin-bottom:.9rem}
.scroll{overflow-x:auto;max-width:100%;margin:0 0 1rem;width:fit-content}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);padding-bottom:.4rem}
th,td{padding:.36rem .7rem;text-align:right;vertical-align:baseline;white-space:nowrap}
th{font-weight:600}
th:first-child,.text{text-align:left}
thead th{color:var(--muted);font-weight:500;font-size:.86rem;border-bottom:1px solid var(--muted)}
tbody tr+tr>*{border-top:1px solid var(--line)}
tbody tr.total>*{border-top:1px solid var(--muted);font-weight:600}
th:first-child,td:first-child{padding-left:0}
.scroll th:first-child{position:sticky;left:0;background:var(--paper)}
.confusion{border-collapse:separate;border-spacing:3px}
.confusion th,.confusion td{border:0!important;padding:.5rem .6rem;min-width:3.1rem}
.confusion td{text-align:center}
.confusion tbody th{white-space:normal;max-width:15rem}
.confusion thead th{text-align:center;vertical-align:bottom}
.confusion th:first-child{text-align:left;padding-left:0}
.confusion .right{background:rgb(var(--right)/calc(var(--share)*.62));font-weight:600;
box-shadow:inset 0 0 0 1.5px rgb(var(--right));border-radius:3px}
.confusion .wrong{background:rgb(var(--wrong)/calc(.06 + var(--share)*.9));border-radius:3px}
.confusion .none{color:var(--muted)}
.confusion .margin,.confusion .total td{color:var(--muted);text-align:right;font-weight:400}
.confusion .total td{text-align:center}
abbr{text-decoration:none}
details{margin:.4rem 0 1rem}
summary{cursor:pointer;color:var(--series-1);font-size:.95rem;padding:.3rem 0}
details[open] summary{margin-bottom:.5rem}
.mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(136px,1fr));
gap:1.4rem 1.1rem;margin:1.2rem 0 0;padding:0;list-style:none}
.mistakes li{min-width:0}
.mistakes img,.missing{display:block;width:100%;height:auto;aspect-ratio:1;border-radius:4px;
background:var(--raised)}
.missing{display:grid;place-items:center;color:var(--muted);font-size:.82rem}
.pixels{image-rendering:pixelated}
.mistakes p{margin:.45rem 0 0;font-size:.9rem;line-height:1.4}
.mistakes p>span{display:block}
.truth{font-weight:600}
.guess b{font-weight:500;color:var(--muted);font-variant-numeric:tabular-nums}
.sign{color:var(--series-2)}
.file{color:var(--muted);font-size:.76rem;white-space:nowrap;overflow:hidden;
text-overflow:ellipsis}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);
white-space:nowrap}
.bars{margin:.6rem 0 1rem;padding:0;list-style:none;font-size:.9rem}
.bars li{display:grid;grid-template-columns:7.8rem 1fr 5.2rem;align-items:center;
  gap:.75rem;padding:.1rem 0}
.bars .name{overflow-wrap:anywhere;line-height:1.3}
.bars .track{display:flex;height:.95rem;border-left:1px solid var(--muted)}
.bars .track span:last-child{border-radius:0 2px 2px 0}
.bars .value{text-align:right;font-variant-numeric:tabular-nums;color:var(--muted)}
.forward{background:var(--series-1)}
.backward{background:var(--series-2);background-image:repeating-linear-gradient(135deg,
transparent 0 4px,rgb(255 255 255/.28) 4px 6px)}
.swatch{display:inline-block;width:1.5rem;height:.75rem;border-radius:2px}
.walk td.text:nth-child(3){white-space:normal;min-width:19rem}
.formula{display:block;font-family:var(--mono);font-size:.84em}
.detail{display:block;color:var(--muted);font-size:.92em}
.pairs th{font-weight:500;color:var(--muted);padding-right:1.5rem}
.pairs td{text-align:left;white-space:normal;overflow-wrap:anywhere;font-family:var(--mono);
font-size:.88em}
.skipped{margin:0 0 1rem;padding-left:1.1rem;font-size:.9rem;overflow-wrap:anywhere}
@media (min-width:900px){#settings .scroll{width:auto}#settings table{display:block}
#settings tbody{display:block;columns:2;column-gap:3rem}
#settings tr{display:grid;grid-template-columns:11rem 1fr;align-items:baseline;
break-inside:avoid;
border-top:1px solid var(--line)}#settings tr>*{border:0}}
@media (max-width:560px){.scroll tbody th{max-width:42vw;white-space:normal}
.bars li{grid-template-columns:5rem 1fr 4.4rem;gap:.5rem}
.mistakes{grid-template-columns:repeat(auto-fill,minmax(100px,1fr));gap:1.1rem .8rem}
section{margin-top:2rem;padding-top:1.6rem}}
@media print{nav{display:none}section{break-inside:avoid-page}}
)";
}

}  // namespace limulus::html
