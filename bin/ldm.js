#!/usr/bin/env node

require('../dist/cli/main').main(process.argv.slice(2));
