// A button on each block of code that copies it: of a session in a terminal only the commands, and of
// commands not what a comment behind them says, which some shells take for arguments (zsh does).
"use strict";

function copied(text, language) {
  let lines = text.trimEnd().split("\n");
  const session = lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
  if (session.length) lines = session;
  if (session.length || ["none", "sh", "bash"].includes(language)) {
    lines = lines.map((line) => line.replace(/\s{2,}#\s.*$/, "")).filter((line, i) => line || !lines[i]);
  }
  return lines.join("\n");
}

addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("article .highlight")) {
    const code = block.querySelector("pre");
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "copy";
    button.title = "Copy this block";
    button.addEventListener("click", async () => {
      const language = /highlight-(\w+)/.exec(block.parentElement.className)?.[1];
      try {
        await navigator.clipboard.writeText(copied(code.textContent, language));
        button.textContent = "copied";
      } catch {  // a browser that forbids it: mark the text, for Ctrl-C
        getSelection().selectAllChildren(code);
        button.textContent = "marked";
      }
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
    block.append(button);
  }
});
