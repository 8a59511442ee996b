// claims.json, runs.jsonl and the baseline's -> what the page's second implementation makes of every number, as JSON.
'use strict';
const fs = require('fs');
const script = ['stats.js', 'formulas.js', 'own.js'].map(name => fs.readFileSync(`templates/living/${name}`, 'utf8')).join('\n');
const { Offprint } = new Function('module', `${script}; return { Stats, Offprint };`)({});
const rows = file => file ? fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line)) : [];
const [, , claimsFile, runs, baseline] = process.argv;
const claims = JSON.parse(fs.readFileSync(claimsFile, 'utf8'));
const study = Offprint.study(claims, rows(runs), rows(baseline));
const found = { numeric: 0, agree: 0, other: [], none: [], broken: [] };
for (const [id, { value }] of Object.entries(claims.claims)) {
  if (typeof value !== 'number') continue;
  found.numeric++;
  try {
    const again = Offprint.recompute(study, id);
    if (again == null) found.none.push(id);
    else if (Offprint.agrees(again, value)) found.agree++;
    else found.other.push(id);
  } catch (error) {
    found.broken.push(`${id}: ${error.message}`);
  }
}
console.log(JSON.stringify(found));
