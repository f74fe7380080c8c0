// A button on each block of code that copies it: of a session in a terminal only the commands.
"use strict";

addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("article .highlight")) {
    const code = block.querySelector("pre");
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "copy";
    button.title = "Copy this block";
    button.addEventListener("click", async () => {
      const text = code.textContent.trimEnd();
      const commands = text.split("\n").filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
      try {
        await navigator.clipboard.writeText(commands.length ? commands.join("\n") : text);
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
