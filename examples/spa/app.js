// The smallest page that streams from the gateway on its own origin.
const form = document.querySelector("form");
const output = document.querySelector("pre");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  output.textContent = "";
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      model: "mock/echo",
      stream: true,
      messages: [{ role: "user", content: form.text.value }],
    }),
  });
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const { choices } = JSON.parse(line.slice(6));
      output.textContent += choices?.[0]?.delta?.content ?? "";
    }
  }
});
