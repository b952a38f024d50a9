/** Pictures: grids, PNG files, charts. */
export { type GridRow, type LabelledGridOptions, labelledGrid } from './labelled-grid';
export { lineChart, lineChartSvg, type Panel, type Series } from './line-chart';
export { encodePng, type GridOptions, makeGrid, type Pictures, picturesOf, toBytes } from './picture';
