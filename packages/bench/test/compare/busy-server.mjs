// Answers after BURN square roots; ends itself when it is told to be broken.
import { createServer } from 'node:http';

const burn = Number(process.env.BURN ?? 0);
if (process.env.BROKEN !== undefined) throw new Error('no database');
const server = createServer((request, response) => {
  let sum = 0;
  for (let step = 0; step < burn; step += 1) sum += Math.sqrt(step);
  response.statusCode =
    process.env.STATUS === undefined || request.url === '/ready' ? 200 : Number(process.env.STATUS);
  response.end(sum < 0 ? 'never' : 'hello');
});
server.listen(Number(process.env.PORT), '127.0.0.1');
