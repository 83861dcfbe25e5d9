import { connect } from "./identity.mjs";

async function write(client, index) {
  const operations = [1, 2].flatMap((total) => [{ index: { _index: index, _id: `order-${total}` } }, { total }]);
  const { errors, items } = await client.bulk({ operations });
  if (errors) { // The status of the whole is 200 all the same.
    throw new Error(`refused: ${JSON.stringify(items.filter((item) => item.index.error))}`);
  }
  console.log(`${items.length} written`);
}

async function main([first, ...others]) {
  const client = connect();
  try {
    if (first === "--write") return await write(client, others[0]);
    for (const index of [first, ...others]) {
      console.log(JSON.stringify(await client.search({ index, size: 10 })));
    }
  } finally {
    await client.close();
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error([error.name, error.statusCode, error.message].filter(Boolean).join(": "));
  process.exitCode = 1;
}
