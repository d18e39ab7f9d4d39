/** Methods without a teacher, each with another student: uploaded at once, through the state machine to the report. */
import { METHODS, method } from '../../lib/core/catalogue/methods.ts';
import { model, modelsOf } from '../../lib/core/catalogue/models.ts';
import { metrics as metricsSchema } from '../../lib/core/contract/metrics.ts';
import { JOB_PREFIX, jobsOf, readText, SMALL, type TestCloud, untilOver, upload } from './pipeline.ts';

const WITHOUT_TEACHER = METHODS.filter((id) => !method(id).teacher);
/** The students that have a tiny stand-in. */
const STUDENTS = modelsOf('student').filter(({ tiny }) => tiny !== null);

export async function expectMethods(cloud: TestCloud): Promise<void> {
  const runs = WITHOUT_TEACHER.map((id, at) => {
    const student = STUDENTS[at % STUDENTS.length];
    if (student === undefined) throw new Error('the catalogue has no student with a stand-in');
    return { id, student, subject: `method-${id}` };
  });
  for (const { id, student, subject } of runs)
    await upload(cloud, subject, { ...SMALL, method: id, student: student.id });
  for (const { id, student, subject } of runs) {
    const run = await untilOver(cloud, subject);
    expect(run).toMatchObject({ status: 'SUCCEEDED', error: undefined });
    // No teacher is trained and no proxy generated: SageMaker never hears of them.
    const stages = ['learn', 'sample-student', 'evaluate'];
    const jobs = stages.map((stage) => [`${JOB_PREFIX}${run.name}-${stage}-a1`, 'Completed']);
    expect(await jobsOf(cloud, run.name)).toEqual(Object.fromEntries(jobs));
    const read = async (file: string) => (await readText(cloud, `runs/${run.name}/report/${file}`)) ?? '';
    const page = await read('index.html');
    for (const title of [method(id).title, model(student.tiny ?? '').title]) expect(page).toContain(title);
    const metrics = metricsSchema.parse(JSON.parse(await read('metrics.json')));
    expect(metrics.rows.map(({ name }) => name).sort()).toEqual(['photos', 'student', 'student-base']);
    expect(metrics.stages.map(({ stage }) => stage)).toEqual(stages);
  }
}
