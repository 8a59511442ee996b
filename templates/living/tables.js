/* Tables: sorted, copied unrounded, rows of the records, another run beside this one. */
const Tables = {};
Tables.start = () => {
  const { all, el, seen, button, paper, study } = Page;
  const numbers = cell => cell.querySelectorAll('.n'), words = cell => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll('.how').forEach(each => each.remove());
    return copy.textContent.trim();
  };
  const value = cell => {
    const marks = numbers(cell), claim = marks.length === 1 && paper.claims[marks[0].dataset.c], number = parseFloat(words(cell).replace('−', '-'));
    return claim && typeof claim.value === 'number' ? claim.value : isNaN(number) ? words(cell) : number;
  };
  const grid = (table, raw) => [...table.rows].map(row => [...row.cells].map(cell => raw && cell.tagName === 'TD' && numbers(cell).length === 1 ? String(value(cell)) : words(cell)));
  const right = table => [...table.rows[0].cells].map(cell => cell.classList.contains('r'));
  const WAYS = {
    'CSV, unrounded': table => grid(table, true).map(row => row.map(cell => /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell).join(',')).join('\n') + '\n',
    Markdown: table => {
      const [head, ...rows] = grid(table).map(row => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`);
      return [head, `|${right(table).map(r => r ? '--:' : ':--').join('|')}|`, ...rows].join('\n') + '\n';
    },
    LaTeX: table => {
      const safe = text => text.replace(/[\\{}&%$#_~^]/g, c => ({ '\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}' })[c] ?? `\\${c}`);
      const [head, ...rows] = grid(table).map(row => `${row.map(safe).join(' & ')} \\\\`);
      return `\\begin{tabular}{${right(table).map(r => r ? 'r' : 'l').join('')}}\n\\toprule\n${head}\n\\midrule\n${rows.join('\n')}\n\\bottomrule\n\\end{tabular}\n`;
    },
  };
  const sortable = table => [...table.tHead.rows[0].cells].forEach((head, column) => {
    const press = button('', () => {
      const up = head.getAttribute('aria-sort') !== 'ascending', body = table.tBodies[0];
      [...table.tHead.rows[0].cells].forEach(cell => cell.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const rank = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === 'number' ? -1 : 1;
      body.append(...[...body.rows].map((row, i) => [value(row.cells[column]), i, row]).sort((a, b) => rank(a[0], b[0]) * (up ? 1 : -1) || a[1] - b[1]).map(each => each[2]));
    });
    press.append(...head.childNodes);
    head.append(press);
  });
  for (const table of all('main table')) {
    sortable(table);
    const holder = table.closest('.t'), name = holder.querySelector('figcaption strong')?.textContent.replace('.', '') ?? 'table';
    const menu = el('details', { class: 'tools' }, el('summary', { 'aria-label': `Copy ${name}` }, 'copy'), Object.entries(WAYS).map(([way, make]) => button(way, () => {
      menu.open = false;
      Page.copy(make(table), `${name} as ${way}`);
    })));
    holder.append(menu);
  }

  Tables.rows = (runs, name) => {
    Cards.hide();
    const most = 500, heads = ['run', 'order', ...study.factors, 'load (s)', 'end to end (s)', 'tokens'], known = runs.map(run => study.byRun.get(run)).filter(Boolean), s = ns => ns == null ? '–' : (ns / 1e9).toPrecision(5);
    const made = Page.dialog(`Rows behind ${seen(name)}`, el('p', {}, known.length > most ? `${known.length} rows, the first ${most} shown; the records have all.` : `${known.length} rows.`),
      Page.table(heads, known.slice(0, most).map(row => [row.run, row.order, ...study.factors.map(factor => seen(study.level(row, factor))), s(row.load_ns), s(row.e2e_ns), row.n_gen].map(String))));
    sortable(made.querySelector('table'));
  };
  Tables.beside = (name, other) => {
    const keys = rows => new Set(rows.map(row => study.key(row))), here = [...study.byRun.values()], there = [...other.byRun.values()];
    const key = row => ['length', 'temperature', 'prompt'].map(factor => ({ length: row.max_tokens, temperature: row.temperature, prompt: row.prompt_id })[factor]).join('\u0001');
    const [a, b] = [here, there].map(rows => Offprint.group(rows, key)), both = [...a.keys()].filter(cell => b.has(cell));
    const line = metric => {
      const value = Offprint.metricValue(study, metric), at = of => both.map(cell => Stats.mean(Offprint.valuesOf(of.get(cell), value.of)));
      const [x, y] = [at(a), at(b)].map(Stats.mean);
      return isFinite(x + y) && [metric, ...[x, y, y / x].map(number => number.toPrecision(4))];
    };
    const metrics = ['latency', 'throughput', 'decode', 'prefill', 'ttft', 'ttft_from_text', 'load', 'peak_memory'].filter(metric => Offprint.metricText(study, metric));
    Page.dialog(`Beside this paper: ${seen(name)}`, el('p', {}, `${there.length} runs; ${both.length} of the ${a.size} combinations of prompt, length and temperature in this paper are in it, too. Means over those, each combination counted once. Nothing was sent anywhere; offprint compare says what differs and what does not.`),
      both.length > 0 && Page.table(['metric', 'this paper', 'dropped', 'dropped / this'], metrics.map(line).filter(Boolean)));
    Page.dropped = there.length;
  };
  // The runs of a bundle, out of its archive; never more than 64 MiB of it.
  Tables.unzipped = async bytes => {
    const MOST = 64 << 20, view = new DataView(bytes.buffer), text = part => new TextDecoder().decode(part);
    let end = bytes.length - 22;
    while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
    if (end < 0) return '';
    let at = view.getUint32(end + 16, true);
    for (let left = view.getUint16(end + 10, true); left--;) {
      const method = view.getUint16(at + 10, true), size = view.getUint32(at + 20, true), length = view.getUint16(at + 28, true), name = text(bytes.subarray(at + 46, at + 46 + length)), local = view.getUint32(at + 42, true);
      at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
      if (!/(^|\/)runs\.jsonl$/.test(name) || /\/baseline\//.test(name)) continue;
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true), raw = bytes.subarray(start, start + size);
      if (!method) return raw.length > MOST ? '' : text(raw);
      const reader = new Blob([raw]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader(), parts = [];
      for (let read = 0, step; !(step = await reader.read()).done; parts.push(step.value)) if ((read += step.value.length) > MOST) return '';
      return new Blob(parts).text();
    }
    return '';
  };
};
Page.start().catch(() => {});
