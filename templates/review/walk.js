"use strict";
// One packet's way through the rules, as fsm_stack/iptables/judge/simulate.py walks it: chains in
// the kernel's order, RETURN to the caller, the hook's policy at the end. The tests hold both to
// each other; whoever changes one changes the other.
//
// facts: what fsm_stack/iptables/judge/walk_data.py says of protocols and ports.
// chains: each chain's rules, from the same module.
// packet: {direction, destination, port, protocol, source, interface, uid}.
// pod: {address, interface}.
// Result: {passes: [{title, packet, hops: [{chain, number, rule, failed}], verdict, decidedBy,
// why}]}; failed is the place of the first match that did not hold, -1: the rule applied.
// Throws an Error with a message for people where there is no answer.
function makeWalk(facts) {
  const LOOPBACK = "lo";
  const LOCALHOST = "127.0.0.1";
  const PASSES_MAX = 4;
  const IPV4_END = 4294967296;

  function plainNumber(text) {
    return /^(0|[1-9][0-9]{0,9})$/.test(text) ? Number(text) : null;
  }

  function addressNumber(text) {
    const parts = text.split(".");
    if (parts.length !== 4) return null;
    let number = 0;
    for (const part of parts) {
      const octet = plainNumber(part);
      if (octet === null || octet > 255) return null;
      number = number * 256 + octet;
    }
    return number;
  }

  function looksLikeIpv6(text) {
    const slash = text.indexOf("/");
    const address = slash < 0 ? text : text.slice(0, slash);
    if (!address.includes(":") || !/^[0-9a-fA-F:.]*$/.test(address)) return false;
    return slash < 0 || plainNumber(text.slice(slash + 1)) !== null;
  }

  // The eight groups of an IPv6 address; null: it is none.
  function ipv6Groups(text) {
    const halves = text.split("::");
    if (halves.length > 2) return null;
    const sides = halves.map((half) => {
      if (half === "") return [];
      const groups = [];
      const parts = half.split(":");
      for (let index = 0; index < parts.length; index += 1) {
        const last = index === parts.length - 1 && half === halves[halves.length - 1];
        const number = last ? addressNumber(parts[index]) : null;
        if (number !== null) {
          groups.push(Math.floor(number / 65536), number % 65536);
        } else if (/^[0-9a-fA-F]{1,4}$/.test(parts[index])) {
          groups.push(parseInt(parts[index], 16));
        } else {
          return null;
        }
      }
      return groups;
    });
    if (sides.includes(null)) return null;
    if (halves.length === 1) return sides[0].length === 8 ? sides[0] : null;
    const missing = 8 - sides[0].length - sides[1].length;
    return missing < 1 ? null : [...sides[0], ...Array(missing).fill(0), ...sides[1]];
  }

  // The address in the packets of a connection to it.
  function onTheWire(address) {
    let wire = address;
    if (address.includes(":")) {
      const groups = ipv6Groups(address);
      if (groups === null) return address;
      if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 65535) {
        const [high, low] = groups.slice(6);
        wire = [high >> 8, high & 255, low >> 8, low & 255].join(".");
      } else if (groups.every((group) => group === 0)) {
        wire = "::1";
      }
    }
    return wire === "0.0.0.0" ? LOCALHOST : wire;
  }

  function owns(pod, address) {
    const number = addressNumber(address);
    if (number === null) return address === "::1" || (address !== "" && address === pod.address);
    return Math.floor(number / 16777216) === 127 || number === addressNumber(pod.address);
  }

  function hasPorts(packet) {
    return facts.withPorts.includes(packet.protocol);
  }

  function endpointText(packet) {
    const address = packet.destination;
    if (!hasPorts(packet)) return address;
    return address.includes(":") ? `[${address}]:${packet.port}` : `${address}:${packet.port}`;
  }

  function requireSane(packet) {
    for (const label of ["destination", "source"]) {
      const address = packet[label];
      if (label === "source" && address === "") continue;
      if (addressNumber(address) === null && !looksLikeIpv6(address)) {
        throw new Error(`${label} '${address}': expected an IPv4 or IPv6 address`);
      }
    }
    if (!Object.hasOwn(facts.protocols, packet.protocol)) {
      const known = Object.keys(facts.protocols).join(", ");
      throw new Error(`protocol '${packet.protocol}': expected one of ${known}`);
    }
    if (!(Number.isInteger(packet.port) && packet.port >= 0 && packet.port <= facts.portMax)) {
      throw new Error(`port ${packet.port}: expected 0 to ${facts.portMax}`);
    }
    if (!(Number.isInteger(packet.uid) && packet.uid >= 0)) {
      throw new Error(`uid ${packet.uid}: expected 0 or more`);
    }
  }

  function titleOf(packet) {
    const where = endpointText(packet);
    const verb =
      packet.protocol === "tcp" ? "connects to" : `sends ${packet.protocol.toUpperCase()} to`;
    if (packet.direction === "inbound") return `a client ${verb} ${where}`;
    const who = packet.uid === facts.sidecarUid ? "the sidecar" : "a process of the pod";
    return `${who} ${verb} ${where}`;
  }

  function withInterface(packet, pod) {
    if (packet.interface) return packet;
    const local = packet.direction === "outbound" && owns(pod, packet.destination);
    return { ...packet, interface: local ? LOOPBACK : pod.interface };
  }

  function redirectedTo(port) {
    const listener = facts.listeners[String(port)];
    if (listener) return { kind: "listener", listener, port };
    return { kind: "rewritten", address: LOCALHOST, port };
  }

  function sentTo(destination) {
    const colon = destination.indexOf(":");
    if (colon < 0) return { kind: "rewritten", address: destination, port: null };
    return {
      kind: "rewritten",
      address: destination.slice(0, colon),
      port: Number(destination.slice(colon + 1)),
    };
  }

  function verdictText(verdict) {
    if (verdict.kind === "listener") {
      return `to the ${verdict.listener} listener (${verdict.port})`;
    }
    if (verdict.kind === "untouched") return "untouched";
    const port = verdict.port === null ? "" : `:${verdict.port}`;
    return `rewritten to ${verdict.address || "the same address"}${port}`;
  }

  function interfaceMatches(pattern, name) {
    return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  }

  function inside(range, address) {
    const number = addressNumber(address);
    return range !== null && number !== null && range[0] <= number && number < range[1];
  }

  function holdsPlainly(match, packet) {
    switch (match.kind) {
      case "protocol":
        return match.number === 0 || match.number === facts.protocols[packet.protocol];
      case "source":
        if (packet.source !== "") return inside(match.range, packet.source);
        if (match.range === null || match.range[0] !== 0 || match.range[1] !== IPV4_END) {
          throw new Error(`a rule asks for the source, ${match.text}: expected one, --from`);
        }
        return true;
      case "destination":
        return inside(match.range, packet.destination);
      case "inbound":
      case "outbound":
        return interfaceMatches(
          match.name, packet.direction === match.kind ? packet.interface : ""
        );
      case "port":
        return match.spans.some(([first, last]) => first <= packet.port && packet.port <= last);
      case "uid":
        return match.span[0] <= packet.uid && packet.uid <= match.span[1];
      case "foreign":
        return true; // it may: see through
      default:
        throw new Error(`match ${match.kind}: unknown to this page`);
    }
  }

  function firstFailed(rule, packet) {
    return rule.matches.findIndex((match) => holdsPlainly(match, packet) === match.negated);
  }

  // A chain's verdict, null: it gave the packet back; and the last rule that applied.
  function through(chains, name, packet, hops, returned) {
    let last = null;
    let number = 0;
    for (const rule of chains[name]) {
      number += 1;
      const failed = firstFailed(rule, packet);
      const hop = { chain: name, number, rule, failed };
      hops.push(hop);
      if (failed >= 0) continue;
      const target = rule.target;
      if (target.kind === "foreign" && target.goesOn) continue;
      const foreign = rule.matches.find((match) => match.kind === "foreign");
      if (foreign) throw new Error(`it depends on what is not decided here: ${foreign.text}`);
      last = hop;
      switch (target.kind) {
        case "return":
          return [null, last];
        case "accept":
          return [{ kind: "untouched" }, last];
        case "redirect":
          return [redirectedTo(target.port), last];
        case "dnat":
          return [sentTo(target.to), last];
        case "foreign":
          throw new Error(`what ${target.text} does is not known here`);
        case "jump": {
          const [verdict, inner] = beyond(chains, target.chain, packet, hops, returned);
          last = inner || last;
          if (verdict !== null) return [verdict, last];
          break;
        }
        default:
          throw new Error(`target ${target.kind}: unknown to this page`);
      }
    }
    return [null, last];
  }

  function beyond(chains, name, packet, hops, returned) {
    if (returned.has(name)) return [null, returned.get(name)];
    const [verdict, last] = through(chains, name, packet, hops, returned);
    if (verdict === null) returned.set(name, last);
    return [verdict, last];
  }

  function noRule(packet) {
    if (packet.protocol === "tcp") {
      return `not intercepted: no rule examines this ${packet.direction} connection`;
    }
    return `not intercepted: ${packet.protocol.toUpperCase()}, and only TCP is redirected`;
  }

  function onePass(chains, packet, title, pod) {
    if (looksLikeIpv6(packet.destination)) {
      return {
        title, packet, hops: [], verdict: { kind: "untouched" }, decidedBy: null,
        why: "not intercepted: IPv6, and the rules are in the IPv4 table only",
      };
    }
    const hook = packet.direction === "outbound" ? "OUTPUT" : "PREROUTING";
    const hops = [];
    let [verdict, decidedBy] = through(chains, hook, packet, hops, new Map());
    if (verdict !== null && verdict.kind === "rewritten" && verdict.address === "$POD_IP") {
      verdict = { ...verdict, address: pod.address || verdict.address };
    }
    return {
      title, packet, hops, verdict: verdict || { kind: "untouched" }, decidedBy,
      why: decidedBy ? decidedBy.rule.why : noRule(packet),
    };
  }

  // The connection that the sidecar opens because of the last one.
  function following(last, pod, resolvesTo) {
    if (last.verdict.kind !== "listener") return null;
    const packet = last.packet;
    if (last.verdict.listener === "outbound") {
      const to = resolvesTo || packet.destination;
      const onward = {
        ...packet, destination: to, uid: facts.sidecarUid,
        interface: owns(pod, to) ? LOOPBACK : packet.interface,
      };
      return [`the sidecar connects on to ${endpointText(onward)}`, onward];
    }
    const handover = {
      direction: "outbound", destination: LOCALHOST, port: packet.port, protocol: "tcp",
      source: LOCALHOST, interface: LOOPBACK, uid: facts.sidecarUid,
    };
    return [`the sidecar hands over to the application's port ${packet.port}`, handover];
  }

  function trace(chains, packet, pod, resolvesTo) {
    requireSane(packet);
    const passes = [onePass(chains, withInterface(packet, pod), titleOf(packet), pod)];
    while (passes.length < PASSES_MAX) {
      const next = following(passes[passes.length - 1], pod, resolvesTo);
      if (next === null) break;
      passes.push(onePass(chains, withInterface(next[1], pod), next[0], pod));
    }
    return { passes };
  }

  return { trace, onTheWire, verdictText };
}
