// The field of the page: what is typed goes through both rule sets at once. All texts are set as
// text, never as HTML.
if (typeof document !== "undefined") {
  const data = JSON.parse(document.getElementById("data").textContent);
  const walk = makeWalk(data.facts);
  const field = (id) => document.getElementById(id);
  const typed = (id) => field(id).value.trim();

  const element = (name, kind, text) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const option = (value, label) => {
    const made = element("option", "", label);
    made.value = value;
    return made;
  };

  const number = (id) => {
    if (/^[0-9]{1,10}$/.test(typed(id))) return Number(typed(id));
    throw new Error(`${id} '${typed(id)}': expected a number`);
  };

  const bare = (address) => address.replace(/^\[(.*)\]$/, "$1");

  const laneOf = (verdict) => (verdict.kind === "listener" ? "sidecar" : "bypass");

  // Of a rule for several ports, the entries of the packet's own.
  const entriesOf = (hop, packet) =>
    hop.rule.entries
      .filter(({ ports }) => !ports || (ports[0] <= packet.port && packet.port <= ports[1]))
      .map((entry) => element("div", "entry", entry.text));

  function ruleItem(hop, packet) {
    const item = element("div", hop.failed >= 0 ? "hop missed" : "hop");
    item.append(element("code", "", `${hop.chain} ${hop.number}: ${hop.rule.text}`));
    if (hop.failed >= 0) {
      item.append(element("div", "aside", `not ${hop.rule.matches[hop.failed].text}`));
    } else {
      item.append(element("div", "aside", hop.rule.why));
      item.append(...entriesOf(hop, packet));
    }
    return item;
  }

  function card(title, answer) {
    if (answer.error) {
      const made = element("div", "way");
      made.append(element("h3", "", title), element("p", "", answer.error));
      return made;
    }
    const [first] = answer.passes;
    const made = element("div", `way ${laneOf(first.verdict)}`);
    made.append(element("h3", "", title));
    made.append(element("p", "verdict", walk.verdictText(first.verdict)));
    made.append(element("p", "", first.why));
    if (first.decidedBy) made.append(...entriesOf(first.decidedBy, first.packet));
    const list = element("ol");
    for (const pass of answer.passes) {
      const item = element("li", "", `${pass.title}: ${walk.verdictText(pass.verdict)}`);
      pass.hops
        .filter((hop) => hop.failed < 0 || field("all").checked)
        .forEach((hop) => item.append(ruleItem(hop, pass.packet)));
      list.append(item);
    }
    made.append(list);
    return made;
  }

  function answerOf(script) {
    if (script.why) return { error: script.why };
    const inbound = typed("direction") === "inbound";
    const pod = { address: bare(typed("pod")), interface: "eth0" };
    try {
      const packet = {
        direction: typed("direction"),
        destination: walk.onTheWire(bare(typed("address"))),
        port: number("port"),
        protocol: typed("protocol"),
        source: bare(typed("source")),
        interface: typed("interface"),
        uid: inbound ? 0 : number("uid"),
      };
      return walk.trace(script.chains, packet, pod, inbound ? "" : bare(typed("resolves")));
    } catch (error) {
      return { error: error.message };
    }
  }

  function told(before, after) {
    if (before.error || after.error) {
      return ["", before.error === after.error ? before.error : ""];
    }
    const [one, two] = [before, after].map((answer) => answer.passes[0].verdict);
    const [was, is] = [one, two].map(walk.verdictText);
    if (was === is) return ["", `Nothing changes for it: ${is}`];
    const [from, to] = [laneOf(one), laneOf(two)];
    if (from === to) return ["turns", `It goes elsewhere: ${was}, then ${is}`];
    return to === "bypass"
      ? ["leaves", "It leaves the mesh: no mTLS, no policy"]
      : ["enters", "It goes through the sidecar from now on"];
  }

  function show() {
    const scope = data.scopes[Number(typed("scope"))];
    const ways = field("ways");
    ways.replaceChildren();
    if (!scope) return;
    const answers = scope.sides.map((place) => answerOf(data.scripts[place]));
    const [kind, text] = told(...answers);
    field("answer").className = kind;
    field("answer").textContent = text;
    if (answers[0].error && answers[0].error === answers[1].error) return;
    answers.forEach((answer, index) => ways.append(card(data.titles[index], answer)));
  }

  data.scopes.forEach((scope, index) => field("scope").append(option(index, scope.label)));
  Object.keys(data.facts.protocols).forEach((name) => field("protocol").append(option(name, name)));
  field("protocol").value = "tcp";
  // A link may ask: #address=10.0.0.8&port=6379&scope=1
  function ask(fragment) {
    for (const [id, value] of new URLSearchParams(fragment)) {
      if (field(id) && field(id).form === field("question")) field(id).value = value;
    }
  }

  ask(data.asked);
  ask(location.hash.slice(1));
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return;
    ask(location.hash.slice(1));
    show();
    field("ask").scrollIntoView();
  });
  field("question").addEventListener("submit", (event) => event.preventDefault());
  field("question").addEventListener("input", show);
  show();
}
