// Compiles a component of Vue as its plugins for bundlers do: `node compile-vue.mjs FILE` prints the module. A process of its
// own, for the compiler does not load under the conditions that the tests resolve imports with.

import { readFileSync } from "node:fs";
import { compileScript, parse } from "vue/compiler-sfc";

const [filename] = process.argv.slice(2);
const templateParseOptions = { isCustomElement: (tag) => tag === "tor-status" };
const { descriptor } = parse(readFileSync(filename, "utf8"), { filename, templateParseOptions });
const options = { id: "example", inlineTemplate: true };
process.stdout.write(compileScript(descriptor, options).content);
