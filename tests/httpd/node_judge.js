// Judges requests with Node's HTTP parser, for the differential test.  Reads
// lines of base64, writes "accepted", "refused" or "unfinished" for each.
'use strict';
process.removeAllListeners('warning');
process.on('warning', () => {});
const { HTTPParser } = process.binding('http_parser');
const readline = require('readline');

function judge(bytes) {
  const parser = new HTTPParser();
  let done = 0;
  let host = 0;
  let minor = 1;
  const count = (names) => {
    for (let i = 0; i < names.length; i += 2)
      host += names[i].toLowerCase() === 'host';
  };
  parser.initialize(HTTPParser.REQUEST, {}, 32768, 0);
  parser[HTTPParser.kOnHeaders] = (names) => count(names);
  parser[HTTPParser.kOnHeadersComplete] = (major, low, names) => {
    minor = low;
    count(names || []);
  };
  parser[HTTPParser.kOnBody] = () => {};
  parser[HTTPParser.kOnMessageComplete] = () => { done++; };
  const result = parser.execute(bytes);
  if (done > 0 && host === 0 && minor > 0)
    return 'refused';  // as http.Server does
  if (done === 0 && (result instanceof Error || result.code))
    return 'refused';
  return done > 0 ? 'accepted' : 'unfinished';
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  console.log(judge(Buffer.from(line, 'base64')));
});
