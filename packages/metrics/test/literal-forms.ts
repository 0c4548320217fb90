/** Every form of a literal in a dialect, around a secret without the form's own delimiters. */
export const forms: Readonly<
  Record<'postgresql' | 'mysql' | 'sqlite', readonly ((secret: string) => string)[]>
> = {
  postgresql: [
    (s) => `'${s}'`,
    (s) => `'it''s ${s}'`,
    (s) => `'back\\' || '${s}'`,
    (s) => `E'\\'${s}\\n\\\\'`,
    (s) => `e'a''${s}\\''`,
    (s) => `$$${s}$$`,
    (s) => `$tag$ ' $$ ${s} $tag$`,
    (s) => `U&'\\0061${s}'`,
    (s) => `B'${s}'`,
    (s) => `X'${s}'`,
    (s) => `N'${s}'`,
    (s) => `DATE '${s}'`,
    (s) => `'a'\n'${s}'`,
    (s) => `1 /* ${s} /* ${s} */ ${s} */`,
    (s) => `1 -- ${s}\n`,
    (s) => `'${s}'::text`,
    (s) => `(ARRAY['${s}', E'${s}\\''])[1]`,
  ],
  mysql: [
    (s) => `'${s}'`,
    (s) => `"${s}"`,
    (s) => `'a\\'${s}'`,
    (s) => `"a\\"${s}"`,
    (s) => `'a''${s}'`,
    (s) => `"a""${s}"`,
    (s) => `_utf8mb4'${s}'`,
    (s) => `_utf8mb4 '${s}'`,
    (s) => `N'${s}'`,
    (s) => `x'${s}'`,
    (s) => `'a' "${s}"`,
    (s) => `1 # ${s}\n`,
    (s) => `1 -- ${s}\n`,
    (s) => `1 /* ${s} */`,
    (s) => `1 /*! + '${s}' */`,
    (s) => `'it"s ${s}'`,
  ],
  sqlite: [
    (s) => `'${s}'`,
    (s) => `"${s}"`,
    (s) => `'a''${s}'`,
    (s) => `x'${s}'`,
    (s) => `'\\' || '${s}'`,
    (s) => `1 -- ${s}\n`,
    (s) => `1 /* ${s} */`,
  ],
};

/** Statements around a literal. */
export const shells: readonly ((literal: string) => string)[] = [
  (l) => `SELECT * FROM users WHERE token = ${l} AND id = 4`,
  (l) => `INSERT INTO users (a, b) VALUES (1, ${l}), (2, ${l})`,
  (l) => `UPDATE users SET a = ${l} WHERE b IN (${l}, ${l})`,
  (l) => `SELECT CASE WHEN a LIKE ${l} THEN ${l} ELSE 3 END FROM t`,
  (l) => `SELECT * FROM t WHERE a = ${l}`,
];
