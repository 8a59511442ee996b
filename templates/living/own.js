/* Numbers of the author's own, again: the small language of claims.yaml, read from the formulas that claims.json has. Written from its
   description (docs/CLAIMS.md); shares no code with the program. */
const Own = (() => {
  const { sum, mean, sd, median, quantile, least, most, quantileT, quantileNormal } = Stats;
  const UNITS = {
    s: 1, ms: 1e-3, us: 1e-6, min: 60, h: 3600, tok: 1, 'tok/s': 1, '1/s': 1, 's/tok': 1, 'ms/tok': 1e-3, 1: 1, '%': .01, runs: 1,
    bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30,
  };
  const size = unit => unit === '' ? 1 : UNITS[unit] ?? (unit.includes('/') ? size(unit.slice(0, unit.indexOf('/'))) / size(unit.slice(unit.indexOf('/') + 1)) : NaN);
  const COLUMNS = ['n_gen', 'n_prompt', 'max_tokens', 'order', 'block', 'repeat'], BYTES = ['peak_memory', 'peak_rss'];
  const REFUSED = Symbol();

  // ---------- text to tree
  const TOKEN = /\s*(?:([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)|([A-Za-z_][A-Za-z0-9_]*(?:\.(?:low|high)\b)?)|(<=|>=|!=|[-+*/()|,={}<>]))/y;
  function parse(text) {
    let at = 0;
    const fail = () => { throw REFUSED; };
    const peek = () => {
      TOKEN.lastIndex = at;
      const found = TOKEN.exec(text);
      return found && { number: found[1], word: found[2], sign: found[3], end: TOKEN.lastIndex };
    };
    const take = sign => peek()?.sign === sign && (at = peek().end, true), need = sign => take(sign) || fail();
    const word = () => {
      const found = peek();
      if (!found?.word) fail();
      at = found.end;
      return found.word;
    };
    const unit = () => {
      const found = /^ (%|1\/s|[A-Za-z]+(?:\/[A-Za-z]+)?)/.exec(text.slice(at));
      if (!found || Number.isNaN(size(found[1]))) return '';
      at += found[0].length;
      return found[1];
    };
    // A level stands as claim ids have it, in quotes where it has signs.
    const level = () => {
      const found = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,(){}|/<>=!"']+))/.exec(text.slice(at)) ?? fail();
      at += found[0].length;
      return found[1] === undefined ? { text: found[2], unit: unit() } : { text: JSON.parse(`"${found[1].replaceAll("\\'", "'").replace(/\\u\{([0-9a-f]+)\}/g, (_, hex) => String.fromCodePoint(parseInt(hex, 16)))}"`), unit: '' };
    };
    const condition = () => {
      const name = word();
      if (/^\s*in\s*\{/.test(text.slice(at))) {
        word();
        need('{');
        const levels = [level()];
        while (take(',')) levels.push(level());
        need('}');
        return { name, levels };
      }
      const sign = ['=', '!=', '<=', '>=', '<', '>'].find(take) ?? fail();
      return { name, sign, level: level() };
    };
    const conditions = () => {
      const all = [condition()];
      while (take(',')) all.push(condition());
      return all;
    };
    const call = name => {
      const done = found => (need(')'), found);
      if (name === 'claim') {
        const id = /^[^)]*/.exec(text.slice(at))[0];
        at += id.length;
        return done({ claim: id });
      }
      if (name === 'count') return done({ call: name, given: peek()?.sign === ')' ? [] : conditions() });
      if (name === 'share') return done({ call: name, met: conditions(), given: take('|') ? conditions() : [] });
      const column = word(), more = { call: name, column };
      if (name === 'quantile') more.share = (need(','), Number((at = peek().end, /[0-9.eE-]+$/.exec(text.slice(0, at))[0])));
      if (name === 'slope') more.factor = (need(','), word());
      if (name === 'ratio') {
        need('|');
        more.factor = word();
        need('=');
        more.high = level().text;
        need('/');
        more.low = level().text;
        return done({ ...more, given: take(',') ? conditions() : [] });
      }
      return done({ ...more, given: take('|') ? conditions() : [] });
    };
    const atom = () => {
      if (take('-')) return { negated: atom() };
      if (take('(')) {
        const inside = chain();
        need(')');
        return inside;
      }
      const found = peek() ?? fail();
      at = found.end;
      if (found.number) return { number: Number(found.number) * size(unit()) };
      return found.word ? (take('(') ? call(found.word) : { own: found.word }) : fail();
    };
    const ranks = [['*', '/'], ['+', '-']];
    const chain = (rank = 1) => {
      const next = () => rank ? chain(rank - 1) : atom();
      let left = next(), sign;
      while ((sign = ranks[rank].find(take))) left = { sign, left, right: next() };
      return left;
    };
    const tree = chain();
    return text.slice(at).trim() === '' ? tree : fail();
  }

  // ---------- tree to number, with its derivatives by the mean of each column in each cell
  const FUNCTIONS = { sd, median, min: least, max: most, mean, sum };
  const exact = value => ({ value, by: new Map() }), never = value => ({ value, by: null });
  const mixed = (value, ...terms) => {
    if (terms.some(([, each]) => !each.by)) return never(value);
    const by = new Map();
    for (const [weight, each] of terms) for (const [key, d] of each.by) by.set(key, (by.get(key) ?? 0) + weight * d);
    return { value, by };
  };
  const column = (s, name) => {
    const of = COLUMNS.includes(name) ? row => row[name] : Offprint.metricValue(s, name)?.of;
    if (!of) throw REFUSED;
    return BYTES.includes(name) ? row => of(row) == null ? null : of(row) * 2 ** 20 : of;
  };
  const holds = { '=': (a, b) => a === b, '!=': (a, b) => a !== b, '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b };
  const test = (s, each) => {
    const { name, sign, level, levels } = each, has = levels ?? [level];
    if (!s.factors.includes(name)) {
      const of = column(s, name), to = has.map(one => Number(one.text) * size(one.unit));
      return { metric: true, of: row => of(row) != null && (levels ? to.includes(of(row)) : holds[sign](of(row), to[0])) };
    }
    const numbers = ['<', '<=', '>', '>='].includes(sign), key = row => numbers ? Number(s.level(row, name)) : s.level(row, name);
    return { of: row => levels ? levels.some(one => one.text === key(row)) : holds[sign](key(row), numbers ? Number(level.text) : level.text) };
  };
  const select = (s, rows, given) => {
    const tests = given.map(each => test(s, each));
    return { rows: rows.filter(row => tests.every(each => each.of(row))), metric: tests.some(each => each.metric) };
  };
  function ratio(s, rows, node) {
    const { rows: there } = select(s, rows, node.given), of = column(s, node.column);
    return Offprint.pairs(s, there.filter(row => of(row) != null), { text: `own ${node.column}`, of }, node.factor, node.high, node.low, true) ?? (() => { throw REFUSED; })();
  }
  function share(s, rows, node) {
    const all = select(s, rows, node.given).rows;
    return { n: all.length, share: select(s, all, node.met).rows.length / all.length };
  }
  function call(s, rows, node) {
    if (node.call === 'count') return exact(select(s, rows, node.given).rows.length);
    if (node.call === 'share') return never(share(s, rows, node).share);
    if (node.call === 'ratio') return never(Math.exp(ratio(s, rows, node).mean));
    const of = column(s, node.column), { rows: there, metric } = select(s, rows, node.given), has = there.filter(row => of(row) != null), values = has.map(of);
    if (!values.length) throw REFUSED;
    const key = row => `${node.column}\u0002${s.cell(row)}`, by = new Map();
    if (node.call === 'mean' || node.call === 'sum') {
      for (const row of has) by.set(key(row), (by.get(key(row)) ?? 0) + (node.call === 'mean' ? 1 / has.length : 1));
      return metric ? never(FUNCTIONS[node.call](values)) : { value: FUNCTIONS[node.call](values), by };
    }
    if (node.call === 'slope') {
      const x = row => Number(s.level(row, node.factor)), groups = Offprint.group(has, row => s.key(row, [node.factor]));
      const centre = new Map([...groups].map(([k, of]) => [k, mean(of.map(x))])), from = row => x(row) - centre.get(s.key(row, [node.factor]));
      const all = sum(has.map(row => from(row) ** 2));
      for (const row of has) by.set(key(row), (by.get(key(row)) ?? 0) + from(row) / all);
      return { value: sum(has.map(row => from(row) * of(row))) / all, by };
    }
    return never(node.call === 'quantile' ? quantile(values, node.share) : FUNCTIONS[node.call](values));
  }
  function evaluate(s, rows, node) {
    if ('number' in node) return exact(node.number);
    if ('negated' in node) {
      const inside = evaluate(s, rows, node.negated);
      return mixed(-inside.value, [-1, inside]);
    }
    if ('claim' in node || 'own' in node) {
      const id = node.claim ?? node.own, claim = s.claims[id], formula = claim?.formula;
      if (typeof claim?.value !== 'number') throw REFUSED;
      const told = claim.value * size(claim.unit);
      // What stands for an expression carries its spread along; what somebody printed has none.
      if ('claim' in node || /\.(low|high)$/.test(id) || PAIRED.test(formula) || SHARED.test(formula)) return never(told);
      return claim.n ? evaluate(s, Offprint.everything(s), parse(formula)) : exact(told);
    }
    if ('call' in node) return call(s, rows, node);
    const a = evaluate(s, rows, node.left), b = evaluate(s, rows, node.right);
    switch (node.sign) {
      case '+': return mixed(a.value + b.value, [1, a], [1, b]);
      case '-': return mixed(a.value - b.value, [1, a], [-1, b]);
      case '*': return mixed(a.value * b.value, [b.value, a], [a.value, b]);
      default: return mixed(a.value / b.value, [1 / b.value, a], [-a.value / b.value / b.value, b]);
    }
  }

  // ---------- intervals
  function delta(s, found, level, end) {
    const all = Offprint.everything(s), cells = Offprint.group(all, s.cell), names = [...new Set([...found.by.keys()].map(key => key.split('\u0002')[0]))];
    let variance = 0, fourth = 0;
    for (const [cell, rows] of cells) {
      const used = names.map(name => ({ of: column(s, name), d: found.by.get(`${name}\u0002${cell}`) ?? 0 })).filter(each => each.d);
      const counts = used.map(each => rows.filter(row => each.of(row) != null).length);
      if (!used.length) continue;
      let here = 0;
      for (const a of used) for (const b of used) {
        const both = rows.filter(row => a.of(row) != null && b.of(row) != null), [x, y] = [a, b].map(each => mean(Offprint.valuesOf(rows, each.of)));
        const [n, m] = [a, b].map(each => Offprint.valuesOf(rows, each.of).length);
        if (both.length > 1) here += a.d * b.d * sum(both.map(row => (a.of(row) - x) * (b.of(row) - y))) / (both.length - 1) * both.length / (n * m);
      }
      here = Math.max(here, 0);
      variance += here;
      fourth += here * here / (least(counts) - 1);
    }
    return variance > 0 ? Offprint.around(found.value, Math.sqrt(variance), level, variance ** 2 / fourth, end) : found.value;
  }
  const END = /^(lower|upper) end of the ([0-9.]+) % (Student's t interval|score interval)[^:]* for: /;
  const PAIRED = /, (geometric mean|mean) over [0-9]+ pairs(?: that agree in (.+)| of .*)$/, SHARED = /, of [0-9]+ runs$/;

  function recompute(s, id, claim) {
    try {
      const ends = END.exec(claim.formula), text = ends ? claim.formula.slice(ends[0].length) : claim.formula, pairing = PAIRED.exec(text);
      const [, end, level] = ends ?? [], rows = Offprint.everything(s), back = value => value / size(claim.unit);
      const t = found => end ? Offprint.around(found.mean, found.se, level, found.n - 1, end) : found.mean;
      if (pairing?.[2]) {
        const factors = pairing[2].split(', '), tree = parse(text.slice(0, pairing.index)), logarithms = pairing[1] === 'geometric mean', scale = logarithms ? Math.log : x => x;
        const values = [...Offprint.group(rows, row => factors.map(name => s.level(row, name)).join('\u0001')).values()].flatMap(there => {
          try {
            return [scale(evaluate(s, there, tree).value)];
          } catch {
            return [];
          }
        });
        const found = t({ n: values.length, mean: mean(values), se: values.length > 1 ? sd(values) / Math.sqrt(values.length) : null });
        return back(logarithms ? Math.exp(found) : found);
      }
      const tree = parse(text.slice(0, pairing?.index ?? SHARED.exec(text)?.index));
      if (tree.call === 'ratio') return back(Math.exp(t(ratio(s, rows, tree))));
      if (tree.call === 'share') {
        const { share: p, n } = share(s, rows, tree);
        if (!end) return back(p);
        // Wilson's.
        const z = quantileNormal(.5 + level / 200), wide = z * Math.sqrt((p * (1 - p) + z * z / n / 4) / n);
        return back(p === (end === 'lower' ? 0 : 1) ? p : (p + z * z / n / 2 + (end === 'lower' ? -wide : wide)) / (1 + z * z / n));
      }
      if (!('call' in tree) && !('sign' in tree) && !('negated' in tree)) return undefined;
      const found = evaluate(s, rows, tree);
      return back(end ? delta(s, found, level, end) : found.value);
    } catch (error) {
      if (error === REFUSED) return undefined;
      throw error;
    }
  }
  return { parse, recompute };
})();
