/* The numbers of a paper again, from its records: each claim's formula is read as it stands, and computed over the runs that the claim
   names. Written from the formulas' texts; shares no code with the program that wrote the paper. */
const Offprint = (() => {
  const { sum, mean, squares, sd, median, quantile, least, most, aboveT, aboveF, quantileT, quantileChi2, quantileNormal } = Stats;

  // ---------- rows
  const runs = text => text.split(',').flatMap(part => {
    const [first, last = first] = part.trim().split('-').map(Number);
    return first ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : [];
  });
  const times = row => row.token_times_ns ?? row.chunk_times_ns ?? [];
  // A server's last token may have no text: all are there when it says why it ended.
  const last = row => row.token_times_ns?.at(-1) ?? (row.clock === 'client' ? row.finish_ns : undefined);
  const TIMES = { load: r => r.load_ns, e2e: r => r.e2e_ns, tokenize: r => r.tokenize_ns, ttft: r => r.ttft_ns, t_first: r => times(r)[0], t_last: last };
  const COUNTS = ['n_gen', 'n_prompt', 'max_tokens', 'order', 'block', 'repeat', 'peak_memory_bytes', 'peak_rss_bytes'];
  const TEXT_TO_TOKEN = "(tokenize + ttft, or the first chunk's)";

  /* `(n_gen - 1) / (t_last - t_first)` -> a function of a row: s, tokens, tokens a second, bytes; null where the row lacks something.
     Times are whole nanoseconds until the end, so that differences lose nothing. */
  const expressions = new Map();
  function expression(text) {
    if (expressions.has(text)) return expressions.get(text);
    const words = text.match(/[a-z_][a-z_0-9]*|[0-9.]+|[-+*/^()]/g) ?? [];
    let at = 0;
    const fits = words.join('') === text.replaceAll(' ', '');
    // A value of a row with its power of seconds.
    const atom = () => {
      const word = words[at++];
      if (word === '(') {
        const inner = chain();
        at++;
        return inner;
      }
      if (/^[0-9]/.test(word)) {
        if (words[at] !== '^') return () => [Number(word), 0];
        const power = Number(words[at + 1]);
        at += 2;
        return () => [Number(word) ** power, 0];
      }
      if (word in TIMES) return row => [TIMES[word](row) ?? NaN, 1];
      return COUNTS.includes(word) ? row => [row[word] ?? NaN, 0] : () => [NaN, 0];
    };
    const product = () => {
      let left = atom();
      while ('*/'.includes(words[at] ?? ' ')) {
        const [over, a, b] = [words[at++] === '/', left, atom()];
        left = row => {
          const [[x, m], [y, n]] = [a(row), b(row)];
          return over ? [x / y, m - n] : [x * y, m + n];
        };
      }
      return left;
    };
    const chain = () => {
      let left = product();
      while ('+-'.includes(words[at] ?? ' ')) {
        const [sign, a, b] = [words[at++] === '-' ? -1 : 1, left, product()];
        left = row => {
          const [[x, m], [y]] = [a(row), b(row)];
          return [x + sign * y, m];
        };
      }
      return left;
    };
    let of = fits && words.length ? chain() : null;
    if (of && at !== words.length) of = null;
    let value = of && (row => {
      const [x, power] = of(row);
      return isFinite(x) ? x * 1e9 ** -power : null;
    });
    // The first token that a worker reports may be several.
    if (text === '(n_gen - 1) / (t_last - t_first)') {
      const over = expression('1 / (t_last - t_first)');
      value = row => {
        const each = over(row);
        return each == null ? null : (row.n_gen - (row.chunk_tokens?.[0] ?? 1)) * each;
      };
    }
    if (text === TEXT_TO_TOKEN) value = row => row.clock === 'client' ? times(row)[0] / 1e9 : (row.tokenize_ns + row.ttft_ns) / 1e9;
    expressions.set(text, value);
    return value;
  }

  // ---------- the study
  const NAMES = { 'output length': 'length', 'batch size': 'batch' }, nameOf = label => NAMES[label] ?? label;
  const ORDER = ['length', 'temperature', 'prompt', 'model', 'engine', 'threads', 'context', 'batch'];
  const levelsOf = row => ({ length: row.max_tokens, temperature: row.temperature, prompt: row.prompt_id, model: row.model, engine: row.engine, ...row.factors });
  /* `claims` is claims.json as an object, `rows` those of runs.jsonl, `baseline` those of the baseline's. */
  function study(claims, rows, baseline = []) {
    const good = all => all.filter(row => row.phase === 'measured' && row.outcome === 'ok');
    const index = all => new Map(good(all).map(row => [row.run, row]));
    const of = new Map();
    for (const row of [...rows, ...baseline]) of.set(row, levelsOf(row));
    const found = [...new Set([...of.values()].flatMap(Object.keys))];
    const place = name => (ORDER.indexOf(name) + 1) || 99;
    const factors = found.sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
    const level = (row, factor) => String(of.get(row)[factor]);
    const keys = new Map();
    const key = (row, but) => factors.filter(name => !but?.includes(name)).map(name => level(row, name)).join('\u0001');
    const cell = row => keys.get(row) ?? keys.set(row, key(row)).get(row);
    const confidence = Number(claims.claims['study.confidence']?.value ?? 95);
    return { claims: claims.claims, rows, base: baseline, byRun: index(rows), byBase: index(baseline), factors, level, key, cell, confidence, systems: Object.keys(claims.claims).some(id => id.startsWith('system.')), memo: new Map() };
  }
  const memo = (s, key, make) => s.memo.get(key) ?? s.memo.set(key, make()).get(key);
  const chosen = (s, text, base) => memo(s, `runs ${base} ${text}`, () => runs(text).map(run => (base ? s.byBase : s.byRun).get(run)).filter(Boolean));
  // The runs of the paper's statistics.
  const everything = s => s.claims.runs ? chosen(s, s.claims.runs.runs) : [...s.byRun.values()];
  const group = (rows, by) => {
    const found = new Map();
    for (const row of rows) found.has(by(row)) ? found.get(by(row)).push(row) : found.set(by(row), [row]);
    return found;
  };
  const valuesOf = (rows, value) => rows.map(value).filter(x => x != null);
  const known = (s, rows, x) => memo(s, `values ${s.memoOf(rows)} ${x.text}`, () => valuesOf(rows, x.of));
  const cells = (s, rows, value) => memo(s, `cells ${s.memoOf(rows)} ${value.text}`, () => [...group(rows, s.cell)].map(([key, of]) => {
    const values = of.map(value.of);
    return { key, rows: of, row: of[0], values, n: values.length, mean: mean(values) };
  }));
  const varying = (s, rows) => s.factors.filter(name => new Set(rows.map(row => s.level(row, name))).size > 1);

  // ---------- Student's t
  const around = (centre, se, level, degrees, end) => centre + (end === 'lower' ? -1 : 1) * quantileT(level / 100, degrees) * se;
  const above = (distance, se, degrees) => se === 0 ? (distance > 0 ? 0 : 1) : aboveT(distance / se, degrees);
  const paired = differences => ({ n: differences.length, mean: mean(differences), se: differences.length > 1 ? sd(differences) / Math.sqrt(differences.length) : null });

  // ---------- pairs of levels of one factor, in cells that agree in all else
  function pairs(s, rows, value, factor, high, low, onLogarithms) {
    const all = cells(s, rows, value), at = level => new Map(all.filter(c => s.level(c.row, factor) === level).map(c => [s.key(c.row, [factor]), c]));
    const [above, below] = [at(high), at(low)], both = [...above].filter(([key]) => below.has(key)).map(([key, a]) => [a, below.get(key)]);
    const scale = onLogarithms ? Math.log : x => x;
    if (onLogarithms && both.length === 1) {
      const blocks = cell => new Map(cell.rows.map((row, i) => [row.block, cell.values[i]]).filter(([block]) => block > 0).reverse());
      const [a, b] = both[0].map(blocks);
      return paired([...a].filter(([block]) => b.has(block)).map(([block, x]) => scale(x) - scale(b.get(block))));
    }
    return both.length ? paired(both.map(([a, b]) => scale(a.mean) - scale(b.mean))) : null;
  }

  // ---------- analysis of variance
  const subsets = list => list.reduce((all, x) => [...all, ...all.map(set => [...set, x])], [[]]);
  const sets = (list, most) => subsets(list).filter(set => set.length && set.length <= most)
    .sort((a, b) => a.length - b.length || a.map((x, i) => list.indexOf(x) - list.indexOf(b[i])).find(Boolean) || 0);
  function anova(s, rows, value) {
    return memo(s, `anova ${s.memoOf(rows)} ${value.text}`, () => {
      const all = cells(s, rows, value), n = rows.length, grand = mean(rows.map(value.of));
      const vary = varying(s, rows), levels = name => [...new Set(all.map(c => s.level(c.row, name)))];
      const within = sum(all.map(c => squares(c.values, c.mean))), total = squares(rows.map(value.of), grand);
      const balanced = all.length === vary.reduce((p, name) => p * levels(name).length, 1) && all.every(c => c.n === all[0].n);
      const terms = sets(vary, vary.length <= 3 ? vary.length : 2), key = (c, set) => set.map(name => s.level(c.row, name)).join('\u0001');
      const found = new Map();
      if (balanced) {
        const marginal = new Map(subsets(vary).map(set => {
          const by = group(all, c => key(c, set));
          return [set.join(), new Map([...by].map(([k, of]) => [k, mean(of.map(c => c.mean - grand))]))];
        }));
        for (const term of terms) {
          const effect = c => sum(subsets(term).map(set => ((term.length - set.length) % 2 ? -1 : 1) * marginal.get(set.join()).get(key(c, set))));
          found.set(term.join(' x '), { squares: sum(all.map(c => c.n * effect(c) ** 2)), degrees: term.reduce((p, name) => p * (levels(name).length - 1), 1) });
        }
      } else {
        // One term after the other: each takes what its columns explain of what is left.
        const weight = all.map(c => Math.sqrt(c.n)), dot = (a, b) => sum(a.map((x, i) => x * b[i]));
        const left = all.map((c, i) => weight[i] * (c.mean - grand)), basis = [];
        const add = column => {
          const before = dot(column, column);
          for (const _ of [0, 1]) for (const unit of basis) {
            const along = dot(column, unit);
            column = column.map((x, i) => x - along * unit[i]);
          }
          const length = dot(column, column);
          if (!(length > 1e-18 * before)) return null;
          const unit = column.map(x => x / Math.sqrt(length));
          basis.push(unit);
          return unit;
        };
        add(weight);
        for (const term of terms) {
          const before = basis.length, choices = term.reduce((all, name) => all.flatMap(set => levels(name).slice(1).map(level => [...set, level])), [[]]);
          const own = choices.map(set => add(all.map((c, i) => term.every((name, k) => s.level(c.row, name) === set[k]) ? weight[i] : 0))).filter(Boolean);
          found.set(term.join(' x '), { squares: sum(own.map(unit => dot(left, unit) ** 2)), degrees: basis.length - before });
        }
      }
      const between = sum(all.map(c => c.n * (c.mean - grand) ** 2)), told = [...found.values()];
      found.set(HIGHER, { squares: between - sum(told.map(t => t.squares)), degrees: all.length - 1 - sum(told.map(t => t.degrees)) });
      return { n, grand, within, total, degrees: n - all.length, terms: found, means: all.map(c => c.mean) };
    });
  }
  const HIGHER = 'interactions of more factors than the terms before have';

  // ---------- lines
  // Of values on tokens, over runs.
  function line(s, rows, value) {
    return memo(s, `line ${s.memoOf(rows)} ${value.text}`, () => {
      const x = rows.map(row => row.n_gen), y = rows.map(value.of), n = x.length, mx = mean(x), my = mean(y), sxx = squares(x, mx);
      const slope = sum(x.map((v, i) => (v - mx) * (y[i] - my))) / sxx, at = v => my + slope * (v - mx), intercept = at(0);
      const rest = sum(x.map((v, i) => (y[i] - at(v)) ** 2)), sd = Math.sqrt(rest / (n - 2));
      const places = [...group(rows, row => row.n_gen)].map(([tokens, of]) => ({ tokens, values: of.map(value.of) }));
      const off = place => mean(place.values) - at(place.tokens), pure = sum(places.map(place => squares(place.values)));
      const lack = sum(places.map(place => place.values.length * off(place) ** 2));
      return {
        n, slope, intercept, r2: 1 - rest / squares(y, my), sd, se: { slope: sd / Math.sqrt(sxx), intercept: sd * Math.sqrt(1 / n + mx * mx / sxx) },
        f: lack / (places.length - 2) / (pure / (n - places.length)), farthest: most(places.map(place => Math.abs(off(place)))),
      };
    });
  }
  // In the levels of a factor, one slope within all combinations of the others.
  function trend(s, rows, value, factor) {
    return memo(s, `trend ${s.memoOf(rows)} ${value.text} ${factor}`, () => {
      const all = cells(s, rows, value).map(c => ({ ...c, level: s.level(c.row, factor), x: Number(s.level(c.row, factor)), other: s.key(c.row, [factor]) }));
      const groups = group(all, c => c.other), within = sum(all.map(c => squares(c.values, c.mean)));
      const centred = of => {
        const shift = new Map([...groups].map(([key, g]) => [key, sum(g.map(c => c.n * of(c))) / sum(g.map(c => c.n))]));
        return all.map(c => of(c) - shift.get(c.other));
      };
      const n = all.map(c => c.n), dot = (a, b) => sum(a.map((v, i) => n[i] * v * b[i])), x = centred(c => c.x), y = centred(c => c.mean);
      const slope = dot(x, y) / dot(x, x), left = y.map((v, i) => v - slope * x[i]), degrees = rows.length - groups.size - 1;
      const residual = dot(left, left) + within, basis = [];
      let explained = 0;
      for (const level of [...new Set(all.map(c => c.level))].slice(1)) {
        let column = centred(c => c.level === level ? 1 : 0);
        for (const _ of [0, 1]) for (const unit of basis) {
          const along = dot(column, unit);
          column = column.map((v, i) => v - along * unit[i]);
        }
        const length = dot(column, column);
        if (length < 1e-18) continue;
        basis.push(column.map(v => v / Math.sqrt(length)));
        explained += dot(left, basis.at(-1)) ** 2;
      }
      const f = explained / (basis.length - 1) / ((residual - explained) / (rows.length - groups.size - basis.length));
      return { slope, se: Math.sqrt(residual / degrees / dot(x, x)), degrees, f };
    });
  }
  // On the place in the execution, within cells.
  function drift(s, rows, value) {
    return memo(s, `drift ${s.memoOf(rows)} ${value.text}`, () => {
      const x = [], y = [], all = cells(s, rows, value);
      for (const c of all) {
        const centre = mean(c.rows.map(row => row.order));
        c.rows.forEach((row, i) => (x.push(row.order - centre), y.push(c.values[i] - c.mean)));
      }
      const sxx = sum(x.map(v => v * v)), slope = sum(x.map((v, i) => v * y[i])) / sxx, degrees = rows.length - all.length - 1;
      const se = Math.sqrt(sum(x.map((v, i) => (y[i] - slope * v) ** 2)) / degrees / sxx), places = rows.map(row => row.order);
      return { slope, se, degrees, span: most(places) - least(places), mean: mean(rows.map(value.of)) };
    });
  }
  function outliers(s, rows, value) {
    const deviations = cells(s, rows, value).flatMap(c => {
      const middle = median(c.values);
      return c.values.map(x => x / middle - 1);
    });
    const [low, high] = [.25, .75].map(share => quantile(deviations, share)), beyond = deviations.map(x => Math.max(low - x, x - high) / (high - low));
    return { mild: beyond.filter(x => x > 1.5 && x <= 3).length, severe: beyond.filter(x => x > 3).length };
  }

  // ---------- this run beside its baseline: numbers of cells' means that carry their derivatives
  const D = {
    of: (value, at, size) => ({ value, by: Array.from({ length: size }, (_, i) => i === at ? 1 : 0) }),
    mix: terms => ({ value: sum(terms.map(([w, d]) => w * d.value)), by: terms[0][1].by.map((_, i) => sum(terms.map(([w, d]) => w * d.by[i]))) }),
    mean: list => D.mix(list.map(d => [1 / list.length, d])),
    chain: (d, value, by) => ({ value, by: d.by.map(x => by * x) }),
    square: d => D.chain(d, d.value ** 2, 2 * d.value),
    ln: d => D.chain(d, Math.log(d.value), 1 / d.value),
    over: (a, b) => ({ value: a.value / b.value, by: a.by.map((x, i) => (x - a.value / b.value * b.by[i]) / b.value) }),
  };
  function shared(s, value) {
    return memo(s, `shared ${value.text}`, () => {
      const here = everything(s), there = chosen(s, s.claims['baseline.runs'].baseline_runs, true);
      const has = rows => new Set(rows.flatMap(row => s.factors.filter(name => levelHas(row, name))));
      const [a, b] = [has(here), has(there)], factors = s.factors.filter(name => a.has(name) && b.has(name) && !['model', 'engine'].includes(name));
      const key = row => factors.map(name => s.level(row, name)).join('\u0001'), [first, second] = [there, here].map(rows => group(rows, key));
      const both = [...first].filter(([k, rows]) => rows.length > 1 && second.get(k)?.length > 1);
      const side = of => both.map(([k], i) => {
        const values = of.get(k).map(value.of), m = mean(values);
        return { row: of.get(k)[0], n: values.length, squares: squares(values, m), mean: D.of(m, i, both.length + 1) };
      });
      return { factors: factors.filter(name => new Set(both.map(([, rows]) => s.level(rows[0], name))).size > 1), there: side(first), here: side(second) };
    });
  }
  const levelHas = (row, name) => levelsOf(row)[name] !== undefined;
  /* `latency.mean`, `by_length.128.latency.mean`, `by_length.128:64.latency`, `fit.latency.slope`, `variance.latency.length_prompt` ->
     a function of one side's cells. */
  function quantity(s, id) {
    const known = name => metricValue(s, name);
    let m;
    if ((m = /^(?:by_([a-z_]+)\.(.+)\.)?([a-z_]+)\.mean$/.exec(id)))
      return { value: known(m[3]), ratio: true, of: (side) => D.mean(side.filter(c => !m[1] || s.level(c.row, m[1]) === m[2]).map(c => c.mean)) };
    if ((m = /^by_([a-z_]+)\.(.+):(.+)\.([a-z_]+)$/.exec(id))) {
      const at = (side, level) => D.mean(side.filter(c => s.level(c.row, m[1]) === level).map(c => c.mean));
      return { value: known(m[4]), ratio: true, of: side => D.over(at(side, m[2]), at(side, m[3])) };
    }
    if ((m = /^fit\.([a-z_]+)\.(slope|intercept\.share)$/.exec(id))) {
      const slope = side => {
        const centre = mean(side.map(c => c.row.max_tokens)), sxx = squares(side.map(c => c.row.max_tokens), centre);
        return [D.mix(side.map(c => [(c.row.max_tokens - centre) / sxx, c.mean])), centre];
      };
      if (m[2] === 'slope') return { value: known(m[1]), ratio: true, of: side => slope(side)[0] };
      return { value: known(m[1]), of: side => {
        const [b, centre] = slope(side), whole = D.mean(side.map(c => c.mean));
        return D.over(D.mix([[1, whole], [-centre, b]]), whole);
      } };
    }
    if ((m = /^variance\.([a-z_]+)\.(.+)$/.exec(id))) return { value: known(m[1]), of: (side, factors) => {
      const size = side.length + 1, within = D.of(sum(side.map(c => c.squares)), size - 1, size), n = side[0].n, grand = D.mean(side.map(c => c.mean));
      const spread = effects => D.mix(effects.map(e => [n, D.square(e)])), total = D.mix([[1, spread(side.map(c => D.mix([[1, c.mean], [-1, grand]])))], [1, within]]);
      if (m[2] === 'residual') return D.over(within, total);
      const term = factors.filter(name => `_${m[2]}_`.includes(`_${name}_`)), key = (c, set) => set.map(name => s.level(c.row, name)).join('\u0001');
      const marginal = new Map(subsets(term).map(set => [set.join(), new Map([...group(side, c => key(c, set))].map(([k, of]) => [k, D.mean(of.map(c => c.mean))]))]));
      const effect = c => D.mix(subsets(term).map(set => [(term.length - set.length) % 2 ? -1 : 1, marginal.get(set.join()).get(key(c, set))]));
      return D.over(spread(side.map(effect)), total);
    } };
    return null;
  }
  function change(s, id, end, level) {
    const asked = quantity(s, id);
    if (!asked?.value) return undefined;
    const found = shared(s, asked.value), sides = [found.there, found.here].map(side => [side, asked.of(side, found.factors)]);
    const [a, b] = sides.map(([side, d]) => asked.ratio ? D.ln(d) : d), back = asked.ratio ? Math.exp : x => 100 * x, difference = b.value - a.value;
    if (!end) return back(difference);
    // Each cell with its own spread; of normal runs the squares within vary, too.
    const parts = [[found.there, a], [found.here, b]].flatMap(([side, d]) => [
      ...side.map((c, i) => [d.by[i] ** 2 * c.squares / (c.n - 1) / c.n, c.n - 1]),
      [d.by.at(-1) ** 2 * sum(side.map(c => 2 * c.squares ** 2 / (c.n + 1))), sum(side.map(c => c.n - 1))],
    ]);
    const variance = sum(parts.map(([v]) => v)), degrees = variance ** 2 / sum(parts.map(([v, df]) => v * v / df));
    return back(variance > 0 ? around(difference, Math.sqrt(variance), level, degrees, end) : difference);
  }
  function besides(s, id, side) {
    const asked = quantity(s, id);
    if (!asked?.value) return undefined;
    const found = shared(s, asked.value);
    return asked.of(side === 'the baseline' ? found.there : found.here, found.factors).value;
  }

  // ---------- formulas
  const METRIC = /^mean of (.+) over all runs$/;
  const metricText = (s, name) => METRIC.exec(s.claims[`${name}.mean`]?.formula ?? '')?.[1];
  const metricValue = (s, name) => value(metricText(s, name) ?? '');
  const values = new Map();
  const value = text => {
    if (!values.has(text)) values.set(text, expression(text) && { text, of: expression(text) });
    return values.get(text);
  };
  const STATISTICS = {
    'mean': mean, 'smallest': least, 'largest': most, 'median': median, 'sd / mean': v => sd(v) / mean(v),
    'sample standard deviation (ddof = 1)': sd, 'standard error (sd / sqrt n) of the mean': v => sd(v) / Math.sqrt(v.length),
  };
  const gaps = row => {
    // Tokens of a round of drafts come together.
    const at = row.rounds ? [...new Set(times(row))] : times(row);
    return at.slice(1).map((time, i) => (time - at[i]) / 1e9);
  };
  const X = '(.+?)';
  // What a formula says, and how that is computed of `rows`: in seconds, tokens and bytes, shares as shares.
  const RULES = [
    [`^(mean|smallest|largest|median|sd / mean|sample standard deviation \\(ddof = 1\\)|standard error \\(sd / sqrt n\\) of the mean) of ${X} over (?:all runs|the runs|runs .+)$`,
      ({ s, rows }, [, statistic, x]) => x.startsWith('times between') ? undefined : of(x, x => STATISTICS[statistic](known(s, rows, x)))],
    [`^(lower|upper) end of Student's (?:([0-9.]+) % )?t interval for the mean of ${X} over (?:all runs|runs .+)$`, ({ s, rows }, [, end, level, x]) => of(x, x => {
      const v = known(s, rows, x);
      return around(mean(v), sd(v) / Math.sqrt(v.length), level ?? s.confidence, v.length - 1, end);
    })],
    ['^total tokens / total latency over ', ({ rows }) => sum(rows.map(row => row.n_gen)) / sum(rows.map(expression('(load + e2e)')))],
    [`^total of ${X} / total of ${X} over the runs$`, ({ rows }, [, a, b]) => of(a, a => of(b, b => sum(rows.map(a.of)) / sum(rows.map(b.of))))],
    ['^(number|mean|median|largest|([0-9]+)th percentile(?: \\(.*\\))?) of times between one token and the next, over all gaps of the runs$', ({ s, rows }, [, which, percent]) => {
      const all = s.thin ? [] : rows.flatMap(gaps);
      if (!all.length) return undefined;
      return percent ? quantile(all, percent / 100) : which === 'number' ? all.length : STATISTICS[which](all);
    }],
    ['^number of (?:all runs|runs .+) that ended well$', ({ rows }) => rows.length],
    ['^measured runs that ended well$', ({ s }) => everything(s).length],
    ['^measured runs that failed$', ({ s }) => s.rows.filter(row => row.phase === 'measured' && row.outcome !== 'ok').length],
    ['^runs - cells$', ({ s }) => {
      const rows = everything(s);
      return rows.length - group(rows, s.cell).size;
    }],
    ['^replicates of each cell$', ({ s }) => most(s.rows.filter(row => row.phase === 'measured').map(row => row.repeat))],
    ['^cells x replicates$', ({ s }) => s.rows.filter(row => row.phase === 'measured').length],
    ['^number of (output lengths|prompts|temperatures) in the study$', ({ s }, [, what]) => distinct(s, { 'output lengths': 'length', prompts: 'prompt', temperatures: 'temperature' }[what])],
    ['^(?:models on their engines x )?prompts x lengths x temperatures(?: x .*)?$', ({ s }) => group(s.rows.filter(row => row.phase === 'measured'), s.cell).size],
    ['^tokens of the prompt$', ({ s, id }) => [...s.byRun.values()].find(row => id === `by_prompt.${row.prompt_id}.n_prompt`)?.n_prompt],
    ["^the prompt's first run that ended well$", ({ s, rows }) => {
      const first = everything(s).find(row => row.prompt_id === rows[0].prompt_id);
      return first?.run;
    }],
    ['^from spawning the server to its answer that it is ready: startup_ns of its first warm-up$', ({ s, id }) =>
      s.rows.find(row => row.startup_ns != null && id === `engine.${row.engine}.startup`)?.startup_ns / 1e9],
    [`^sample standard deviation \\(ddof = 1\\) of the cells' means of ${X} / their mean$`, ({ s, rows }, [, x]) => of(x, x => {
      const { means } = anova(s, rows, x);
      return sd(means) / mean(means);
    })],
    [`^(?:one-sided (lower|upper) (?:([0-9.]+) % )?confidence bound, by chi-squared, of: )?square root of the residual mean square \\([0-9]+ degrees of freedom\\) of ${X} within cells( / mean over all runs)?$`,
      ({ s, rows }, [, end, level, x, overMean]) => of(x, x => {
        const { within, degrees, grand } = anova(s, rows, x), found = Math.sqrt(within / degrees) / (overMean ? grand : 1), share = (level ?? s.confidence) / 100;
        return end ? found * Math.sqrt(degrees / quantileChi2(end === 'lower' ? share : 1 - share, degrees)) : found;
      })],
    [`^(?:(lower|upper) end of the (?:([0-9.]+) % )?t interval for: )?slope of ${X} on order within cells \\([0-9]+ degrees of freedom\\)( x places from first to last run / mean over all runs)?$`,
      ({ s, rows }, [, end, level, x, whole]) => of(x, x => {
        const d = drift(s, rows, x), slope = end ? around(d.slope, d.se, level ?? s.confidence, d.degrees, end) : d.slope;
        return whole ? slope * d.span / d.mean : slope;
      })],
    [`^two-sided t test that there is no slope of ${X} on order within cells`, ({ s, rows }, [, x]) => of(x, x => {
      const d = drift(s, rows, x);
      return 2 * aboveT(Math.abs(d.slope / d.se), d.degrees);
    })],
    [`^runs whose ${X} / median of its cell - 1 lies (1.5 to 3|more than 3) interquartile ranges beyond the quartiles`, ({ s, rows }, [, x, fence]) =>
      of(x, x => outliers(s, rows, x)[fence === '1.5 to 3' ? 'mild' : 'severe'])],
    [`^sum of squares (of ${X}|within cells) / total sum of squares of ${X}(?: \\([a-z_:, ]*analysis of variance\\))?$`, ({ s, rows }, [, , term, x]) => of(x, x => {
      const a = anova(s, rows, x);
      return (term ? a.terms.get(term)?.squares : a.within) / a.total;
    })],
    [`^mean square of ${X} / residual mean square of ${X}$`, ({ s, rows }, [, term, x]) => of(x, x => ratioF(s, rows, x, term))],
    [`^P\\(F\\(([0-9]+), ([0-9]+)\\) > F\\) of ${X} on ${X}$`, ({ s, rows }, [, a, b, term, x]) => of(x, x => aboveF(ratioF(s, rows, x, term), Number(a), Number(b)))],
    [`^(?:(lower|upper) end of the (?:([0-9.]+) % )?t interval for the |standard error of the )?(intercept|slope) of the least-squares line of ${X} on n_gen(, of runs at .*)?$`,
      ({ s, rows, formula }, [, end, level, which, x, at]) => of(x, x => {
        const l = line(s, kept(s, rows, at), x);
        if (formula.startsWith('standard error')) return l.se[which];
        return end ? around(l[which], l.se[which], level ?? s.confidence, l.n - 2, end) : l[which];
      })],
    [`^(1 - residual / total sum of squares|standard deviation \\(n - 2 degrees of freedom\\) about the line:|mean square of lack of fit / mean square of pure error|largest distance of the mean at a number of tokens from the value there|P\\(F\\(([0-9]+), ([0-9]+)\\) > F\\) for the lack of fit) of the least-squares line of ${X} on n_gen(, of runs at .*)?$`,
      ({ s, rows }, [, what, a, b, x, at]) => of(x, x => {
        const l = line(s, kept(s, rows, at), x);
        return a ? aboveF(l.f, Number(a), Number(b)) : what.startsWith('1') ? l.r2 : what.startsWith('st') ? l.sd : what.startsWith('mean') ? l.f : l.farthest;
      })],
    [`^(?:(lower|upper) end of the (?:([0-9.]+) % )?t interval for the slope|least-squares slope|(mean square) of the lack of fit of the line / mean square of the rest|P\\(F\\(([0-9]+), ([0-9]+)\\) > F\\) for the lack of fit of the line) of ${X} on (.+) \\([0-9]+ degrees of freedom\\), within each of `,
      ({ s, rows }, [, end, level, f, a, b, x, factor]) => of(x, x => {
        const t = trend(s, rows, x, nameOf(factor));
        return a ? aboveF(t.f, Number(a), Number(b)) : f ? t.f : end ? around(t.slope, t.se, level ?? s.confidence, t.degrees, end) : t.slope;
      })],
    [`^(mean of|(lower|upper) end of the (?:([0-9.]+) % )?t interval (?:at 1 - 2 alpha )?for the mean of|larger p of two one-sided t tests against (?:the margin|a margin of ([0-9.]+) % of the mean over all runs):) ${X} at (.+) minus at (.+), between [0-9]+ pairs of cells that agree in all else( / mean over all runs)?$`,
      ({ s, rows, id }, [, what, end, level, margin, x, high, low, share]) => of(x, x => {
        const [factor, top] = named(s, id, high), p = pairs(s, rows, x, factor, top, low), whole = mean(rows.map(x.of));
        if (end) return around(p.mean, p.se, level ?? 2 * s.confidence - 100, p.n - 1, end);
        if (what.startsWith('mean')) return share ? p.mean / whole : p.mean;
        const bound = (margin ?? s.claims['study.margin'].value) / 100 * Math.abs(whole);
        return Math.max(above(p.mean + bound, p.se, p.n - 1), above(bound - p.mean, p.se, p.n - 1));
      })],
    [`^(?:([0-9.]+) %|equivalence_margin) of (?:the study x )?(?:the )?mean of ${X}(?: over all runs)?$`, ({ s, rows }, [, margin, x]) => of(x, x =>
      (margin ?? s.claims['study.margin'].value) / 100 * Math.abs(mean(rows.map(x.of))))],
    [`^equivalence_margin of the study x mean of ${X}$`, ({ s, rows }, [, x]) => of(x, x => s.claims['study.margin'].value / 100 * Math.abs(mean(rows.map(x.of))))],
    [`^(?:(lower|upper) end of the ([0-9.]+) % t interval, on logarithms, for the )?geometric mean of ${X} at (.+) / at (.+), over [0-9]+ pairs of `, ({ s, rows, id }, [, end, level, x, high, low]) => of(x, x => {
      const [factor, top] = named(s, id, high), p = pairs(s, rows, x, factor, top, low, true);
      return Math.exp(end ? around(p.mean, p.se, level, p.n - 1, end) : p.mean);
    })],
    // Beside the baseline.
    ['^(.+): this run (?:/|-) the baseline(?:, in points)?(?:, (lower|upper) end(?: of the ([0-9.]+) % t interval.*)?)?$', ({ s }, [, what, end, level]) => change(s, what, end, level ?? s.claims['baseline.interval']?.value) / (/^(?:fit.*share|variance)/.test(what) ? 100 : 1)],
    ['^.*, in (this run|the baseline)$', ({ s, id }, [, side]) => besides(s, id.replace(/^baseline\./, '').replace(/\.(?:here|there)$/, ''), side)],
    ['^measured runs of the baseline that ended well$', ({ base }) => base.length],
    ['^cells that both have, with at least two runs in each$', ({ s }) => shared(s, value('e2e')).here.length],
    ['^runs of both with the same prompt, length, temperature and seed( that generated the same text)?$', ({ s, rows, base }, [, same]) => {
      const key = row => [...s.factors.filter(name => !['model', 'engine'].includes(name)).map(name => s.level(row, name)), row.seed].join('\u0001'), there = group(base, key);
      return rows.filter(row => there.get(key(row))?.some(other => !same || other.output_sha256 === row.output_sha256)).length;
    }],
  ].map(([text, compute]) => [new RegExp(text), compute]);
  const of = (text, compute) => {
    const x = value(text);
    return x ? compute(x) : undefined;
  };
  const distinct = (s, factor) => new Set(s.rows.filter(row => row.phase === 'measured').map(row => s.level(row, factor))).size;
  const ratioF = (s, rows, x, term) => {
    const a = anova(s, rows, x), t = a.terms.get(term);
    return t && t.squares / t.degrees / (a.within / a.degrees);
  };
  // `, of runs at threads 1, context 0`
  const kept = (s, rows, at) => !at ? rows : memo(s, `kept ${s.memoOf(rows)} ${at}`, () => at.slice(', of runs at '.length).split(', ').reduce((left, each) => {
    const space = each.lastIndexOf(' ');
    return left.filter(row => s.level(row, nameOf(each.slice(0, space))) === each.slice(space + 1));
  }, rows));
  // `engine llama-cpp`; texts of versions up to 0.4 name the level alone, and their id the factor.
  const named = (s, id, text) => {
    const [, factor] = id.split('.');
    return [factor, text.startsWith(`${factor} `) ? text.slice(factor.length + 1) : text];
  };
  const SCALES = { ms: 1e3, 'ms/tok': 1e3, '%': 100, points: 100 };

  /* A claim's value again: a number in the claim's unit, or undefined where no rule reads its formula. */
  function recompute(s, id) {
    const claim = s.claims[id];
    // Papers of before 0.2 spoke of several systems in words of their own.
    if (id.startsWith('system.') || (s.systems && id.startsWith('study.'))) return undefined;
    if (!s.memoOf) {
      const numbers = new WeakMap();
      let next = 0;
      s.memoOf = rows => numbers.get(rows) ?? numbers.set(rows, ++next).get(rows);
    }
    if (!claim || typeof claim.value !== 'number') return undefined;
    const rows = chosen(s, claim.runs), base = chosen(s, claim.baseline_runs ?? '', true);
    for (const [rule, compute] of RULES) {
      const read = rule.exec(claim.formula);
      if (!read) continue;
      const found = compute({ s, id, rows, base, formula: claim.formula }, read);
      if (found != null && !Number.isNaN(found)) return found * (SCALES[claim.unit] ?? 1);
    }
    return typeof Own === 'undefined' ? undefined : Own.recompute(s, id, claim);
  }

  const relative = (a, b) => a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
  // A tail falls exponentially: the digits of its probability that can agree are fewer.
  const agrees = (a, b) => Math.abs(a - b) <= 1e-9 * Math.max(1, -Math.log(Math.max(Math.abs(a), Math.abs(b), 1e-300)) / 27) * Math.max(Math.abs(a), Math.abs(b)) + 1e-300;
  return { study, recompute, relative, agrees, runs, gaps, metricText, metricValue, value, pairs, anova, drift, chosen, cells, group, valuesOf, above, around, named, kept, everything };
})();
if (typeof module !== 'undefined') module.exports = { Stats, Offprint };
