/** The server under proof: a Fastify hello whose handler does BURN further steps of arithmetic. */
import fastify from 'fastify';

const burn = Number(process.env.BURN ?? 0);
const app = fastify();
app.get('/', async () => {
  let state = 1;
  for (let step = 0; step < burn; step += 1) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return { hello: 'world', odd: state & 1 };
});
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
