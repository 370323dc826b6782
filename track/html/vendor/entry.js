/* All that the report's page needs of others: a flame graph, and what selects its place. */
import { select } from 'd3-selection'
import flamegraph from 'd3-flame-graph'

globalThis.vendored = { flamegraph, select }
