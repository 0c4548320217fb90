import { sendTraffic } from './traffic.ts';

const target = process.argv[2] ?? 'http://127.0.0.1:4041';
if (!URL.canParse(target)) {
  console.error(
    `shop traffic: Expected the shop's origin, got \`${target}\`. Example: http://127.0.0.1:4041`,
  );
  process.exit(2);
}
const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
const { answers, dropped } = await sendTraffic({ target, signal: controller.signal });
console.log(`shop traffic: ${JSON.stringify(answers)}, dropped ${dropped}`);
