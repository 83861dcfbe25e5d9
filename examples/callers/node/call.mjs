import { connect } from "./identity.mjs";

const client = connect();

for (const index of process.argv.slice(2)) {
  console.log(JSON.stringify(await client.search({ index, size: 10 })));
}
