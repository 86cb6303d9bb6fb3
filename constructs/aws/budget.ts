import { BudgetsBudget } from '@cdktf/provider-aws/lib/budgets-budget/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import type { AlarmTopics } from './alarm.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'

export interface BudgetProps {
  /** Begins the name of the budget; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** US dollars a month. */
  readonly monthlyLimit: number
  /** Tag (key and value) that tells what belongs to the gateway; must be switched on as a cost allocation tag. */
  readonly tag: { readonly key: string; readonly value: string }
  /** Who is told at 80 percent of it, and when the forecast is past all of it. */
  readonly alarmTopics: AlarmTopics
}

/**
 * Tells when a month costs more than was meant. It stops nothing.
 *
 * @example
 * const alerts = new Alerts(stack, 'alerts', { name: 'edge', tell: ['team@example.com'] })
 * const tag = { key: 'project', value: 'gatehouse' }
 * new Budget(stack, 'budget', { name: 'edge', monthlyLimit: 2000, tag, alarmTopics: alerts })
 * @throws ConstructError when the limit is none
 */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, props: BudgetProps) {
    super(scope, id)
    const { name, monthlyLimit, tag, alarmTopics } = props
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [monthlyLimit >= 1, `monthlyLimit: expected 1 dollar or more, got ${monthlyLimit}`],
    ])
    const notify = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number) => ({
      notificationType,
      threshold,
      thresholdType: 'PERCENTAGE',
      comparisonOperator: 'GREATER_THAN',
      subscriberSnsTopicArns: [alarmTopics.tell],
    })
    new BudgetsBudget(this, 'budget', {
      name: awsName(100, name),
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      limitAmount: monthlyLimit.toFixed(2),
      limitUnit: 'USD',
      costFilter: [{ name: 'TagKeyValue', values: [`user:${tag.key}$${tag.value}`] }],
      notification: [notify('ACTUAL', 80), notify('FORECASTED', 100)],
      tags: { Name: awsName(100, name) },
    })
  }
}
