// The search page: ranks the pages that Sphinx finds by how much they say on the words, the rarer the more
// (Okapi BM25), and quotes the passage where most of them stand. Nothing is fetched, so it works from a folder.
(() => {
  "use strict";
  const LENGTH = 240, LEAD = 80;  // characters of an excerpt, and of what stands before the first word
  const HEADING = 4, TITLE = 4;   // a word there counts as so many in a paragraph
  const SATURATION = 2, BY_LENGTH = 0.5;
  const ASIDE = 0.6;              // a page that is no chapter, which has no number, counts so much of one

  const stemmer = new Stemmer(), stems = new Map();
  const stem = word => {
    const lower = word.toLowerCase();
    if (!stems.has(lower)) stems.set(lower, stemmer.stemWord(lower));
    return stems.get(lower);
  };
  const words = text => (text.match(/[\p{L}\p{N}_]+/gu) ?? []).map(stem);

  // How often each word stands on a page, and how long the page is.
  const count = sections => {
    const counts = new Map();
    let length = 0;
    const add = (text, weight) => words(text).forEach(word => {
      counts.set(word, (counts.get(word) ?? 0) + weight);
      length += 1;
    });
    sections.forEach(([, heading, paragraphs], place) => {
      add(heading, place ? HEADING : TITLE);
      paragraphs.forEach(text => add(text, 1));
    });
    return {counts, length};
  };

  // The relevance of each page to some words: a word that begins like one of them counts a half.
  const relevances = terms => {
    const pages = Object.entries(Search.texts).map(([name, sections]) => ({name, ...count(sections)}));
    const mean = pages.reduce((sum, page) => sum + page.length, 0) / pages.length;
    const found = new Map(pages.map(page => [page.name, 0]));
    for (const term of terms) {
      for (const page of pages) {
        page.hits = 0;
        for (const [word, times] of page.counts) {
          if (word === term) page.hits += times;
          else if (term.length > 2 && word.startsWith(term)) page.hits += times / 2;
        }
      }
      const having = pages.filter(page => page.hits).length;
      const rarity = Math.log(1 + (pages.length - having + 0.5) / (having + 0.5));
      for (const {name, hits, length} of pages) {
        const damping = SATURATION * (1 - BY_LENGTH + BY_LENGTH * length / mean);
        found.set(name, found.get(name) + rarity * hits * (SATURATION + 1) / (hits + damping));
      }
    }
    return found;
  };

  const matches = (word, terms) => terms.some(term => stem(word).startsWith(term));

  // The definitions of just these words. (Sphinx forgets its index of terms when it builds only what has changed.)
  const definitions = query => Object.entries(Search.texts).flatMap(([page, sections]) => sections
    .filter(([name, heading]) => name.startsWith("term-") && heading.toLowerCase() === query.toLowerCase().trim())
    .map(([name]) => [page, sections[0][1], `#${name}`, null]));

  // Pages come first, then single headings, terms and functions.
  const rank = terms => {
    const found = relevances(terms), best = Math.max(...found.values()) || 1;
    return ([page, title, anchor, description, score]) => {
      if (anchor || description) return score / 1000;
      return 1 + (title.includes("section-number") ? 1 : ASIDE) * found.get(page) / best;
    };
  };

  // The paragraph of a page, or of one of its sections, that has most of the words.
  const passage = (page, anchor, terms) => {
    let best = {hits: -1};
    for (const [name, heading, paragraphs] of Search.texts[page] ?? []) {
      if (anchor && anchor !== `#${name}`) continue;
      for (const text of paragraphs) {
        const there = new Set(words(text));
        const hits = terms.filter(term => [...there].some(word => word.startsWith(term))).length;
        if (hits > best.hits) best = {hits, name, heading, text};
      }
    }
    return best.text ? best : null;
  };

  const quote = ({text}, terms) => {
    const parts = text.split(/([\p{L}\p{N}_]+)/u);
    const first = parts.findIndex((part, place) => place % 2 && matches(part, terms));
    let start = parts.slice(0, Math.max(first, 0)).join("").length - LEAD;
    start = text.length <= LENGTH || start <= 0 ? 0 : text.indexOf(" ", start) + 1;
    let stop = start + LENGTH >= text.length ? text.length : text.lastIndexOf(" ", start + LENGTH);
    const nodes = [start ? "… " : ""];
    text.slice(start, stop).split(/([\p{L}\p{N}_]+)/u).forEach((part, place) => {
      if (!(place % 2 && matches(part, terms))) return nodes.push(part);
      const mark = document.createElement("mark");
      mark.textContent = part;
      nodes.push(mark);
    });
    nodes.push(stop < text.length ? " …" : "");
    return nodes;
  };

  const show = ([page, title, anchor, description], terms) => {
    const item = document.createElement("li"), link = document.createElement("a");
    const root = document.documentElement.dataset.content_root;
    const address = root + page + DOCUMENTATION_OPTIONS.LINK_SUFFIX;
    link.href = address + anchor;
    link.innerHTML = title;  // of Sphinx's index, where it is escaped
    item.append(link);
    const found = description ? null : passage(page, anchor, terms);
    if (description) item.append(` (${description})`);
    if (anchor.startsWith("#term-") && found) link.append(` > ${found.heading}`);
    if (found) {
      const box = document.createElement("p"), section = document.createElement("a");
      box.className = "context";
      section.href = `${address}#${found.name}`;
      section.textContent = found.heading;
      if (!anchor && found.heading !== link.textContent) box.append(section, ": ");
      box.append(...quote(found, terms));
      item.append(box);
    }
    Search.output.append(item);
  };

  Search.query = query => {
    const [text, terms, excluded, highlighted, objects] = Search._parseQuery(query);
    Scorer.score = rank([...terms]);
    const first = definitions(query), known = new Set(first.map(([page, , anchor]) => page + anchor));
    const found = Search._performSearch(text, terms, excluded, highlighted, objects).reverse();
    const results = [...first, ...found.filter(([page, , anchor]) => !known.has(page + anchor))];
    results.forEach(result => show(result, [...terms]));
    _finishSearch(results.length);
  };
})();
