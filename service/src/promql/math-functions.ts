/** Functions of one number, for each element of a vector. */
export const mathFunctions: Readonly<Record<string, (value: number) => number>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  deg: (value) => (value * 180) / Math.PI,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  rad: (value) => (value * Math.PI) / 180,
  sgn: (value) => (value < 0 ? -1 : value > 0 ? 1 : value),
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
};

/** Functions of a time in Unix seconds, all in UTC; NaN for what is no time. */
export const dateFunctions: Readonly<Record<string, (seconds: number) => number>> = {
  days_in_month: (seconds) => {
    const date = dateOf(seconds);
    return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  },
  day_of_month: (seconds) => dateOf(seconds).getUTCDate(),
  day_of_week: (seconds) => dateOf(seconds).getUTCDay(),
  day_of_year: (seconds) => {
    const date = dateOf(seconds);
    return Math.floor((date.getTime() - startOfYear(date)) / 86_400_000) + 1;
  },
  hour: (seconds) => dateOf(seconds).getUTCHours(),
  minute: (seconds) => dateOf(seconds).getUTCMinutes(),
  month: (seconds) => dateOf(seconds).getUTCMonth() + 1,
  year: (seconds) => dateOf(seconds).getUTCFullYear(),
};

function dateOf(seconds: number): Date {
  return new Date(Math.trunc(seconds) * 1000);
}

function startOfYear(date: Date): number {
  const start = new Date(0);
  return start.setUTCFullYear(date.getUTCFullYear());
}
