/* The page: its data, the contents list, the bar. If anything here fails, the paper stays as it was. */
const Page = {};
Page.start = async () => {
  const $ = selector => document.querySelector(selector), all = selector => [...document.querySelectorAll(selector)];
  // The only way to make elements: text goes in as text, nothing is ever read as HTML.
  const fill = (made, props, kids) => {
    for (const [name, value] of Object.entries(props)) {
      if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
      else if (value != null && value !== false) made.setAttribute(name, value === true ? '' : value);
    }
    made.append(...kids.flat(9).filter(kid => kid != null && kid !== false));
    return made;
  };
  const el = (tag, props = {}, ...kids) => fill(document.createElement(tag), props, kids);
  const svg = (tag, props = {}, ...kids) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, kids);
  // What controls, turns text around or hides in it is shown.
  const seen = text => String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '\ufffd');
  const button = (name, onclick, more = {}) => el('button', { type: 'button', onclick, ...more }, name);

  // ---------- the files in the page
  const restored = text => text.replace(/\\\\|\\u(003c|007f|00[89][0-9a-f]|00ad|061c|180e|200[b-f]|202[a-e]|206[0-9a-f]|e[0-9a-f]{3}|f[0-8][0-9a-f]{2}|fe0[0-9a-f]|feff|fff[9ab])/g, (found, code) => code ? String.fromCharCode(parseInt(code, 16)) : found);
  const block = id => document.getElementById(id) && restored(document.getElementById(id).textContent);
  const unpacked = text => {
    const page = JSON.parse(text), q = JSON.stringify;
    const claims = page.claims.map(([id, value, told, unit, formula, rounding, runs, n, base]) => {
      const fields = [['value', value], ['unit', q(page.unit[unit])], ['text', told === 0 ? value : q(told)], ['formula', q(page.formula[formula])],
        ['rounding', q(page.rounding[rounding])], ['n', n], ['runs', q(page.runs[runs])]];
      if (base !== undefined) fields.push(['baseline_runs', q(page.runs[base])]);
      return `    ${q(id)}: {\n${fields.map(([key, literal]) => `      "${key}": ${literal}`).join(',\n')}\n    }`;
    });
    return `{\n  "schema": ${q(page.claims_schema)},\n  "source": {\n    "run_id": ${q(page.source.run_id)},\n    "sha256": ${q(page.source.sha256)}\n  },\n  "claims": {\n${claims.join(',\n')}\n  },\n  "predicates": ${page.predicates}\n}\n`;
  };
  const lines = text => text.split('\n').slice(0, -1).map(line => JSON.parse(line));
  const columns = text => {
    const { rows, columns } = JSON.parse(text), at = (column, i) => Array.isArray(column) ? column[i] : 'all' in column ? column.all : column.of[column.at[i]];
    return Array.from({ length: rows }, (_, i) => {
      const row = { factors: {} };
      for (const [name, column] of Object.entries(columns)) {
        const value = at(column, i) ?? undefined;
        if (name.startsWith('factors.')) row.factors[name.slice(8)] = value;
        else row[name] = value;
      }
      return row;
    });
  };
  const claimsText = unpacked(block('o-claims')), paper = JSON.parse(claimsText), runsText = block('o-runs'), baseText = block('o-baseline');
  const thin = text => text?.startsWith('{"columns"'), read = text => !text ? [] : thin(text) ? columns(text) : lines(text);
  const study = Offprint.study(paper, read(runsText), read(baseText));
  study.thin = thin(runsText);
  const ids = Object.keys(paper.claims);
  Object.assign(Page, { $, all, el, svg, seen, button, paper, study, lines });

  // ---------- the bar
  const note = el('span', { class: 'grow', role: 'status' });
  Page.say = text => note.textContent = text || 'Every number opens its formula and its runs.';
  const download = (name, text) => {
    const link = el('a', { href: URL.createObjectURL(new Blob([text])), download: name });
    document.body.append(link);
    link.click();
    link.remove();
  };
  Page.copy = async (text, what) => {
    Page.copied = text;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = el('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    Page.say(`${what} copied`);
  };
  Page.dialog = (title, ...kids) => {
    const made = el('dialog', { 'aria-label': title }, el('h2', {}, title), kids, el('form', { method: 'dialog' }, el('p', {}, el('button', {}, 'Close'))));
    document.body.append(made);
    made.addEventListener('close', () => made.remove());
    made.showModal();
    return made;
  };
  Page.table = (heads, rows) => el('div', { class: 'table', tabindex: '0', role: 'region', 'aria-label': heads.join(', ') }, el('table', {},
    el('thead', {}, el('tr', {}, heads.map(head => el('th', { scope: 'col', class: 'r' }, head)))),
    el('tbody', {}, rows.map(row => el('tr', {}, row.map(cell => el('td', { class: 'r' }, cell)))))));
  Page.again = id => {
    try {
      return Offprint.recompute(study, id);
    } catch {
      return undefined;
    }
  };

  // ---------- every number again
  const sha256 = async text => crypto.subtle && [...new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))].map(byte => byte.toString(16).padStart(2, '0')).join('');
  Page.check = async () => {
    const start = performance.now(), found = { agree: 0, other: [], none: {}, texts: 0 };
    let turn = start;
    for (const id of ids) {
      // Readers go on reading.
      if (performance.now() - turn > 50) {
        await new Promise(resolve => setTimeout(resolve));
        turn = performance.now();
      }
      const { value } = paper.claims[id];
      if (typeof value !== 'number') {
        found.texts++;
        continue;
      }
      const again = Page.again(id);
      if (again == null) (found.none[id.split('.')[0]] ??= []).push(id);
      else if (Offprint.agrees(again, value)) found.agree++;
      else found.other.push(id);
    }
    found.ms = performance.now() - start;
    found.sha256 = runsText && !study.thin ? await sha256(runsText) : null;
    found.records = found.sha256 === paper.source.sha256;
    return found;
  };
  const checkAll = async () => {
    const found = await Page.check(), none = Object.entries(found.none), count = none.reduce((n, [, list]) => n + list.length, 0);
    Page.dialog('Every number, again',
      el('p', {}, el('b', {}, `${found.agree} of ${found.agree + found.other.length} numbers that this page can compute agree`), ` to nine digits or more (${(found.ms / 1000).toFixed(1)} s). `,
        `${count} numbers are not computed here${count ? ` (${none.map(([family, list]) => `${family} ${list.length}`).join(', ')})` : ''}: settings, what others have published, what stands in other files. ${found.texts} claims are texts.`),
      found.other.length > 0 && el('p', { class: 'again no' }, `Other values: ${seen(found.other.slice(0, 40).join(', '))}${found.other.length > 40 ? ' …' : ''}`),
      el('p', { class: found.records || found.sha256 === null ? '' : 'again no' }, found.records ? 'The records in this page have the SHA-256 that the paper names.'
        : found.sha256 === null ? 'The records stand here in short, or not at all; the bundle has them whole.' : found.sha256 ? 'The records in this page are NOT those that the paper names.' : 'This browser does not compute SHA-256 here.'),
      el('p', { class: 'id' }, 'That shows that these numbers follow from these records. Whether the records are what a machine did, and whether this page is as it was published, no page can show of itself: offprint verify does.'));
  };
  const clear = button('Unmark', () => Page.mark([]), { hidden: true });
  Page.marked = on => clear.hidden = !on;
  const pick = el('input', { type: 'file', hidden: true, accept: '.jsonl,.zip', 'aria-label': 'Another run' });
  const bar = el('div', { id: 'bar', role: 'region', 'aria-label': 'Tools' }, note, clear, button('Check every number', checkAll),
    runsText && !study.thin && button('Records', () => download('runs.jsonl', runsText)), button('Claims', () => download('claims.json', claimsText)),
    runsText && button('Compare…', () => pick.click()), pick);
  $('.skip').after(bar);
  Page.say(runsText ? '' : 'The records of this paper are not in this page: they are too many, or hold characters that a page cannot give back. Its bundle has them.');

  // ---------- the contents list
  const details = $('nav.toc details'), links = new Map(all('nav.toc a').map(link => [link.hash.slice(1), link])), heads = all('main h2, main h3');
  if (details && matchMedia('(min-width: 78rem)').matches) details.open = true;
  const spy = () => {
    const here = heads.filter(head => head.getBoundingClientRect().top < innerHeight * .3).at(-1);
    for (const [id, link] of links) id === here?.id ? link.setAttribute('aria-current', 'true') : link.removeAttribute('aria-current');
  };
  addEventListener('scroll', () => requestAnimationFrame(spy), { passive: true });

  Cards.start();
  Figures.start();
  Tables.start();
  // ---------- another run beside this one
  const another = async file => {
    let text = '';
    try {
      text = /\.zip$/i.test(file.name) ? await Tables.unzipped(new Uint8Array(await file.arrayBuffer())) : file.size > 64 << 20 ? '' : await file.text();
      const rows = lines(text.endsWith('\n') ? text : `${text}\n`);
      if (!rows.length || !rows.every(row => /^offprint\.run\/[12]$/.test(row.schema))) throw Error();
      Tables.beside(file.name, Offprint.study({ claims: {} }, rows));
    } catch {
      Page.dialog('Another run', el('p', {}, `${seen(file.name)} has no rows that this page can read: it takes a runs.jsonl, or a bundle of Offprint with one in it, of at most 64 MiB.`));
    }
  };
  pick.addEventListener('change', () => pick.files[0] && another(pick.files[0]));
  const drop = on => event => {
    event.preventDefault();
    document.body.classList.toggle('drop', on);
    if (!on && event.dataTransfer?.files[0]) another(event.dataTransfer.files[0]);
  };
  if (runsText) for (const [name, on] of [['dragover', true], ['dragleave', false], ['drop', false]]) addEventListener(name, drop(on));

  document.documentElement.classList.add('js');
  Page.ready = performance.now();
  // A link to a number opens it; `#check` leaves what was found where a program can read it.
  const go = async () => {
    if (location.hash === '#check') {
      const { other, none, ...found } = await Page.check();
      document.documentElement.dataset.check = JSON.stringify({ ...found, other, none: Object.values(none).flat().length, ready: Math.round(Page.ready) });
    } else if (location.hash.startsWith('#n=')) Cards.link(decodeURIComponent(location.hash.slice(3)));
  };
  addEventListener('hashchange', go);
  await go();
};
