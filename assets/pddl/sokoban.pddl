; A robot pushes each box to a place of its own.
(define (domain sokoban)
  (:requirements :strips :typing)
  (:types location direction box)
  (:predicates
    (adjacent ?from ?to - location ?d - direction)
    (at-robot ?l - location)
    (at ?b - box ?l - location)
    (clear ?l - location))

  (:action move
    :parameters (?from ?to - location ?d - direction)
    :precondition (and (at-robot ?from) (clear ?to) (adjacent ?from ?to ?d))
    :effect (and (at-robot ?to) (clear ?from) (not (at-robot ?from)) (not (clear ?to))))

  (:action push
    :parameters (?robot ?from ?to - location ?d - direction ?b - box)
    :precondition (and (at-robot ?robot) (at ?b ?from) (clear ?to) (adjacent ?robot ?from ?d)
                       (adjacent ?from ?to ?d))
    :effect (and (at-robot ?from) (at ?b ?to) (clear ?robot) (not (at-robot ?robot))
                 (not (at ?b ?from)) (not (clear ?to)))))
