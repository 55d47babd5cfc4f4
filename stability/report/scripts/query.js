// What is written into the search field: words, and conditions such as lr<1e-3 or loss=hinge,minimax.
const query = (() => {
  const MINUS = /\u2212/g;
  const CONDITION = /^([A-Za-z_][\w-]*)(<=|>=|!=|<|>|=)(.+)$/;

  const bare = (text) => text.replaceAll('"', "");
  const plain = (text) => text.toLowerCase().replace(MINUS, "-");
  const tokens = (text) => text.match(/(?:"[^"]*"|[^\s"])+/g) ?? [];

  function compare(sign, value, wanted) {
    if (sign === "<") return value < wanted;
    if (sign === "<=") return value <= wanted;
    if (sign === ">") return value > wanted;
    return value >= wanted;
  }

  const toNumber = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);

  // One condition as a test of rows; null where its column is unknown or it does not fit the column.
  function condition(data, column, token) {
    const found = CONDITION.exec(token);
    const one = found && column(found[1].replaceAll("-", "_"));
    if (!one) return null;
    const [sign, wanted] = [found[2], bare(found[3])];
    if (sign === "=" || sign === "!=") {
      const listed = wanted.split(",").map(plain);
      const isOne = (row) => listed.some((text) => {
        const value = toNumber(one.values[row]);
        if (text === "none" && value === null) return true;
        if (one.kind !== "number") return plain(data.text(one, row)) === text;
        return value !== null && (value === Number(text) || page.number(value) === page.number(Number(text)));
      });
      return sign === "=" ? isOne : (row) => !isOne(row);
    }
    const bound = Number(plain(wanted).replaceAll(",", ""));
    if (one.kind !== "number" || Number.isNaN(bound)) return null;
    return (row) => one.values[row] !== null && compare(sign, toNumber(one.values[row]), bound);
  }

  // Everything that a run may be found by: cells as shown, and numbers as they would be typed.
  function words(data, shown, row) {
    return shown.map((one) => {
      const text = plain(data.text(one, row));
      return one.kind === "number" ? `${text} ${text.replaceAll(",", "")} ${one.values[row]}` : text;
    }).join("\u0001");
  }

  // A test of rows for a text, and what of the text is no condition that could be read.
  function read(text, data, column, textOf) {
    const tests = [];
    const unread = [];
    for (const token of tokens(text)) {
      const test = condition(data, column, token);
      if (test) tests.push(test);
      else {
        if (CONDITION.test(token)) unread.push(token);
        const word = plain(bare(token));
        tests.push((row) => textOf(row).includes(word));
      }
    }
    return { accepts: (row) => tests.every((test) => test(row)), unread };
  }

  // The text with all conditions on a column replaced by these.
  function put(text, name, conditions) {
    const others = tokens(text).filter((token) => {
      const found = CONDITION.exec(token);
      return !found || found[1].replaceAll("-", "_") !== name;
    });
    return [...others, ...conditions].join(" ");
  }

  const quoted = (values) => {
    const text = values.join(",");
    return /\s/.test(text) ? `"${text}"` : text;
  };

  // The conditions on a column, each as its sign and what follows it.
  function conditionsOn(text, name) {
    return tokens(text).map((token) => CONDITION.exec(token)).filter((found) => found && found[1].replaceAll("-", "_") === name)
      .map(([, , sign, wanted]) => [sign, bare(wanted)]);
  }

  return { read, words, put, quoted, conditionsOn };
})();
