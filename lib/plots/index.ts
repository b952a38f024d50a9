/** Pictures that explain: schedules, losses, and what a model does to one picture. */
export { ganPanels } from './gan-losses';
export { drawJourney, type JourneyOptions } from './journey';
export { boundPanels, type ScheduleOptions, schedulePanels } from './schedules';
export { metricCurve, trainingPanels } from './training-terms';
